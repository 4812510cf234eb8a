"""Signed calls: what the policy asks, whose secret it takes, and what a forger is told."""

from __future__ import annotations

import hmac
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.records import Reason
from ingest.signatures import MalformedSecret
from tests.unit.signed_calls import (
    BODY,
    NEXT_SECRET,
    NOW,
    OTHER_SECRET,
    SECRET,
    Headers,
    secret_of,
    signatures,
    signed,
)

header_values = st.binary(max_size=60) | st.sampled_from([b"v1,", b"v1", b",", b"%d" % NOW, b"1" * 400])


@given(
    st.dictionaries(
        st.sampled_from([b"webhook-id", b"webhook-timestamp", b"webhook-signature"]), header_values
    ),
    st.binary(max_size=60),
)
def test_whatever_arrives_without_our_secret_is_refused(headers: Headers, body: bytes) -> None:
    verdict = signatures().judge(headers, body, NOW)
    complete = len(headers) == 3 and all(value.strip(b" \t") for value in headers.values())
    assert verdict is (Reason.WRONG_SIGNATURE if complete else Reason.MISSING_SIGNATURE)


def test_each_of_several_secrets_is_taken_until_it_is_removed() -> None:
    both = signatures(f"{SECRET},{NEXT_SECRET}")
    assert both.judge(signed(SECRET), BODY, NOW) == b"valid"
    assert both.judge(signed(NEXT_SECRET), BODY, NOW) == b"valid"
    assert both.judge(signed(OTHER_SECRET), BODY, NOW) is Reason.WRONG_SIGNATURE
    assert signatures(NEXT_SECRET).judge(signed(SECRET), BODY, NOW) is Reason.WRONG_SIGNATURE


def test_one_right_signature_among_several_is_enough() -> None:
    of_both = b" ".join(signed(secret)[b"webhook-signature"] for secret in (OTHER_SECRET, SECRET))
    assert signatures().judge(signed(signature=of_both), BODY, NOW) == b"valid"


@pytest.mark.parametrize("tolerance", [1, 300])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_right_signature_is_stale_outside_the_tolerance_on_both_sides(tolerance: int, sign: int) -> None:
    judge = signatures(signature_tolerance_seconds=tolerance).judge
    assert judge(signed(), BODY, NOW + sign * tolerance) == b"valid"
    assert judge(signed(), BODY, NOW + sign * (tolerance + 0.001)) is Reason.STALE_SIGNATURE


def test_a_forger_is_told_wrong_whatever_the_timestamp() -> None:
    forged = signed(OTHER_SECRET, at=NOW - 10_000)
    assert signatures().judge(forged, BODY, NOW) is Reason.WRONG_SIGNATURE


ALL_HEADERS = signed()


@pytest.mark.parametrize("policy", ["required", "accepted"])
@pytest.mark.parametrize("blank", [None, b"", b" \t"])
@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_a_signature_without_what_it_is_made_of_is_missing_something(
    policy: str, blank: bytes | None, name: str
) -> None:
    headers = {key: value for key, value in ALL_HEADERS.items() if key != name.encode()}
    if blank is not None:
        headers[name.encode()] = blank
    assert signatures(signatures=policy).judge(headers, BODY, NOW) is Reason.MISSING_SIGNATURE


UNSIGNED: list[Headers] = [
    {},
    {b"webhook-signature": b""},
    {b"webhook-signature": b" \t"},
    {name: value for name, value in ALL_HEADERS.items() if name != b"webhook-signature"},
]


@pytest.mark.parametrize("headers", UNSIGNED)
def test_a_call_without_a_signature_is_judged_by_the_policy(headers: Headers) -> None:
    assert signatures(signatures="required").judge(headers, BODY, NOW) is Reason.MISSING_SIGNATURE
    assert signatures(signatures="accepted").judge(headers, BODY, NOW) == b"none"
    assert signatures(signatures="ignored").judge(headers, BODY, NOW) == b"none"
    assert signatures("", signatures="accepted").judge(headers, BODY, NOW) == b"none"


def test_a_signature_that_is_there_must_be_right_where_signatures_are_accepted() -> None:
    judge = signatures(signatures="accepted").judge
    assert judge(signed(), BODY, NOW) == b"valid"
    assert judge(signed(OTHER_SECRET), BODY, NOW) is Reason.WRONG_SIGNATURE
    assert judge(signed(), BODY, NOW + 301) is Reason.STALE_SIGNATURE


@pytest.mark.parametrize("headers", [ALL_HEADERS, {b"webhook-signature": b"v1,x"}])
def test_a_signature_is_unchecked_where_none_is_looked_at(headers: Headers) -> None:
    assert signatures(signatures="ignored").judge(headers, BODY, NOW) == b"unchecked"
    assert signatures("", signatures="accepted").judge(headers, BODY, NOW) == b"unchecked"


def test_every_secret_is_tried_on_every_signature_even_after_one_matched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[bytes] = []

    def spy(_: bytes, given: bytes) -> bool:
        compared.append(given)
        return True

    monkeypatch.setattr(hmac, "compare_digest", spy)
    both = signatures(f"{SECRET},{NEXT_SECRET}")
    assert both.judge(signed(signature=b"first second"), BODY, NOW) == b"valid"
    assert compared == [b"first", b"second"] * 2


def test_a_secret_may_come_without_the_padding_of_base64() -> None:
    secret = secret_of(b"s" * 25)
    assert secret.endswith("==")
    assert signatures(secret.rstrip("=")).judge(signed(secret), BODY, NOW) == b"valid"


MALFORMED = [
    "secret-of-mine",
    "whsec_",
    "whsec_==",
    "whsec_secret!",
    "whsec_secrétsecrétsecrét",
    "WHSEC_c2VjcmV0",
]


@pytest.mark.parametrize("policy", ["required", "accepted", "ignored"])
@pytest.mark.parametrize("malformed", MALFORMED)
def test_a_malformed_secret_is_named_by_its_setting_and_place_and_never_shown(
    malformed: str, policy: str
) -> None:
    with pytest.raises(MalformedSecret, match="ASLEEP_SIGNING_SECRETS: secret 2 ") as caught:
        signatures(f"{SECRET},{malformed}", signatures=policy)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET.removeprefix("whsec_") not in shown
    assert malformed.removeprefix("whsec_") not in shown or malformed in {"whsec_", "whsec_=="}
