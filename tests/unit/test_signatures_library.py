"""Signed calls: what the library of Standard Webhooks signs is valid, what it refuses is refused."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from ingest.records import Reason
from ingest.signatures import MalformedSecret
from tests.unit.signed_calls import (
    BODY,
    NOW,
    OTHER_SECRET,
    SECRET,
    Headers,
    secret_of,
    signatures,
    signed,
    signed_by_hand,
)


def library_accepts(headers: Headers, body: bytes, secret: str = SECRET) -> bool:
    texts = {name.decode(): value.decode() for name, value in headers.items()}
    try:
        Webhook(secret).verify(body, texts, json_parse=False)
    except (WebhookVerificationError, ValueError):  # odd parts of a signature end in a ValueError
        return False
    return True


message_ids = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).filter(
    lambda text: text == text.strip(" \t")
)
bodies = st.text(st.characters(codec="utf-8")).map(str.encode)
keys = st.binary(min_size=24, max_size=64)


@given(keys, message_ids, bodies, st.integers(-295, 295))
@example(b"s" * 24, "msg.with.stops", b"", 0)
def test_what_the_library_signs_is_valid(key: bytes, message_id: str, body: bytes, age: int) -> None:
    secret = secret_of(key)
    headers = signed(secret, body, int(time.time()) - age, message_id)
    assert library_accepts(headers, body, secret)
    assert signatures(secret).judge(headers, body, time.time()) == b"valid"


changes = st.one_of(
    st.tuples(st.just("header"), st.sampled_from(["id", "timestamp", "signature"]), st.just(b"")),
    st.tuples(st.just("header"), st.just("id"), message_ids.map(str.encode)),
    st.tuples(st.just("header"), st.just("timestamp"), st.integers(0, 2**40).map(b"%d".__mod__)),
    st.tuples(st.just("header"), st.just("signature"), st.binary(min_size=32, max_size=32).map(b64encode)),
    st.tuples(st.just("age"), st.just("old"), st.sampled_from([-9999, -310, -290, 290, 310, 9999])),
    st.tuples(st.just("body"), st.just("more"), bodies),
    st.tuples(st.just("secret"), st.just("other"), st.just(OTHER_SECRET)),
    st.tuples(st.just("around"), st.just("v1,"), st.binary(min_size=32, max_size=32).map(b64encode)),
    st.tuples(st.just("around"), st.just("v1a,"), st.binary(min_size=64, max_size=64).map(b64encode)),
    st.tuples(st.just("around"), st.just("v2,"), st.just(b"")),
)


@given(st.lists(changes, max_size=3))
def test_a_changed_call_is_judged_as_the_library_judges_it(made: list[tuple[str, str, Any]]) -> None:
    changed = {kind: value for kind, _, value in made}
    headers = signed(changed.get("secret", SECRET), BODY, int(time.time()) - changed.get("age", 0))
    body = BODY + changed.get("body", b"")
    for kind, name, value in made:
        if kind == "header":
            headers[b"webhook-" + name.encode()] = value
        elif kind == "around":
            other = name.encode() + value
            headers[b"webhook-signature"] = b" ".join((other, headers[b"webhook-signature"], other)).strip()
    verdict = signatures().judge(headers, body, time.time())
    assert (verdict == b"valid") == library_accepts(headers, body)


class TestWhereWeDifferFromTheLibraryAndTakeMore:
    """Calls that the library gives up on, and that carry a right signature all the same."""

    @pytest.mark.parametrize("other", [b"v2", b"v1,a,b", b"v1,a", b"v1a"])
    def test_a_part_that_is_no_signature_does_not_hide_a_right_one(self, other: bytes) -> None:
        at = int(time.time())
        headers = signed(at=at)
        headers[b"webhook-signature"] = other + b" " + headers[b"webhook-signature"]
        assert not library_accepts(headers, BODY)
        assert signatures().judge(headers, BODY, at) == b"valid"

    def test_more_than_one_space_between_signatures(self) -> None:
        headers = signed(at=int(time.time()))
        headers[b"webhook-signature"] = b"v1,AAAA  \t" + headers[b"webhook-signature"]
        assert not library_accepts(headers, BODY)
        assert signatures().judge(headers, BODY, time.time()) == b"valid"

    def test_a_body_that_is_no_text(self) -> None:
        body = b"\x1f\x8b\xff"
        headers = signed_by_hand(b"msg_1", b"%d" % NOW, body)
        with pytest.raises(UnicodeDecodeError):
            Webhook(SECRET).verify(body, {name.decode(): value.decode() for name, value in headers.items()})
        assert signatures().judge(headers, body, NOW) == b"valid"

    def test_a_message_id_that_is_no_text(self) -> None:
        headers = signed_by_hand(b"msg_\xff", b"%d" % NOW, BODY)
        assert signatures().judge(headers, BODY, NOW) == b"valid"

    def test_spaces_around_the_value_of_a_header_are_not_part_of_it(self) -> None:
        headers = {name: b" " + value + b"\t" for name, value in signed().items()}
        assert signatures().judge(headers, BODY, NOW) == b"valid"


class TestWhereWeDifferFromTheLibraryAndTakeLess:
    """Ways to write the same that no sender needs, and that would leave room for doubt."""

    @pytest.mark.parametrize("written", [b"%d.0", b"%d.9", b"+%d", b"0%d", b"%de0", b"1_%d"])
    def test_a_timestamp_that_is_not_plain_digits_is_wrong(self, written: bytes) -> None:
        at = int(time.time())
        timestamp = (b"1_%d" % int(str(at)[1:])) if written == b"1_%d" else written % at
        headers = signed(at=at, timestamp=timestamp)
        assert library_accepts(headers, BODY)
        assert signatures().judge(headers, BODY, at) is Reason.WRONG_SIGNATURE
        by_hand = signed_by_hand(b"msg_1", timestamp, BODY)
        assert signatures().judge(by_hand, BODY, at) is Reason.WRONG_SIGNATURE

    @pytest.mark.parametrize("timestamp", [b"-1", b"nan", b"inf", b"9" * 5000, "\u0661".encode(), b"1\n"])
    def test_a_timestamp_that_is_no_moment_is_wrong_even_when_it_was_signed(self, timestamp: bytes) -> None:
        headers = signed_by_hand(b"msg_1", timestamp, BODY)
        assert signatures().judge(headers, BODY, 1) is Reason.WRONG_SIGNATURE

    def test_base64_with_foreign_characters_or_other_last_bits_is_wrong(self) -> None:
        at = int(time.time())
        right = signed(at=at)[b"webhook-signature"]
        last = bytes([right[-2] + 1])
        for written in (right.replace(b"v1,", b"v1,-"), right + b"=", right[:-2] + last + b"="):
            headers = signed(at=at, signature=written)
            assert signatures().judge(headers, BODY, at) is Reason.WRONG_SIGNATURE
            assert library_accepts(headers, BODY)

    @pytest.mark.parametrize(
        "secret",
        [
            b64encode(b"s" * 24).decode(),
            secret_of(b"s" * 23),
            "whsec_" + "s-s_" * 20,
            "whsec_" + "a b!" * 20,
        ],
        ids=["no prefix", "short", "base64url", "foreign characters"],
    )
    def test_a_secret_that_the_library_takes_may_be_malformed(self, secret: str) -> None:
        Webhook(secret)
        with pytest.raises(MalformedSecret):
            signatures(secret)
