"""Who may call: callers that know one of the keys."""

from __future__ import annotations

import hmac

import pytest
from pydantic import SecretStr

from ingest.authentication import ApiKeys, NoApiKeys
from ingest.records import Reason


def _keys(*keys: str) -> ApiKeys:
    return ApiKeys([SecretStr(key) for key in keys])


def test_each_of_several_keys_opens() -> None:
    keys = _keys("first", "second", "third")
    assert [keys.refusal(key) for key in (b"first", b"second", b"third")] == [None, None, None]


@pytest.mark.parametrize("given", [None, b"", b"   ", b"\t"])
def test_a_missing_or_blank_key_is_missing(given: bytes | None) -> None:
    assert _keys("first").refusal(given) is Reason.MISSING_API_KEY


@pytest.mark.parametrize("given", [b"firs", b"first1", b"FIRST", b"first,second", b"\xff\x00", b"f irst"])
def test_any_other_key_is_wrong(given: bytes) -> None:
    assert _keys("first", "second").refusal(given) is Reason.WRONG_API_KEY


def test_spaces_around_the_header_value_are_not_part_of_the_key() -> None:
    assert _keys("first").refusal(b" first\t ") is None


def test_a_key_outside_ascii_is_compared_as_utf8() -> None:
    assert _keys("schlüssel").refusal("schlüssel".encode()) is None


def test_every_key_is_compared_even_after_one_matched(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def spy(left: bytes, right: bytes) -> bool:
        compared.append(left)
        return left == right

    monkeypatch.setattr(hmac, "compare_digest", spy)
    _keys("first", "second", "third").refusal(b"first")
    assert compared == [b"first", b"second", b"third"]


@pytest.mark.parametrize("keys", [(), ("",), ("first", "")])
def test_no_key_or_an_empty_key_is_refused_by_the_name_of_its_setting(keys: tuple[str, ...]) -> None:
    with pytest.raises(NoApiKeys, match="ASLEEP_API_KEYS"):
        _keys(*keys)
