"""What a body says about itself, in every dialect, and which bodies are no JSON object."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.envelope import MAX_IDENTIFIER_CHARACTERS, Envelope, may_name_several_users, read_envelope
from ingest.records import Reason

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["event", "callback_event", "user_id", "session_id", "data", "callback_data", "session", "id"]
)
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ODD_EVENTS = st.dictionaries(
    NAMES, JSON_VALUES | st.dictionaries(NAMES, JSON_VALUES | st.dictionaries(NAMES, JSON_VALUES))
)


@pytest.mark.parametrize(
    ("dialect", "message"),
    [
        ("flat", {"event": "E", "user_id": "u", "session_id": "s"}),
        ("nested", {"event": "E", "data": {"user_id": "u", "session_id": "s"}}),
        ("nested, complete", {"event": "E", "data": {"user_id": "u", "session": {"id": "s"}}}),
        ("callback", {"callback_event": "E", "callback_data": {"user_id": "u", "session_id": "s"}}),
        (
            "callback, complete",
            {"callback_event": "E", "callback_data": {"user_id": "u", "session": {"id": "s"}}},
        ),
        ("flat, session object only", {"event": "E", "user_id": "u", "session": {"id": "s"}}),
    ],
)
def test_event_user_and_session_are_found_in_every_dialect(dialect: str, message: dict[str, object]) -> None:
    assert read_envelope(json.dumps(message).encode()) == Envelope("E", "u", "s"), dialect


def test_the_innermost_name_wins_as_in_the_warehouse() -> None:
    body = (
        b'{"event":"E","callback_event":"C","session_id":"s","user_id":"u",'
        b'"data":{"session_id":"t","user_id":"v"}}'
    )
    assert read_envelope(body) == Envelope("E", "v", "t")


@pytest.mark.parametrize("value", ["1", "null", "true", "[]", "{}", '["s"]', '""', "1.5"])
def test_only_strings_name_something(value: str) -> None:
    body = f'{{"event":{value},"user_id":{value},"session_id":{value},"data":{value}}}'
    assert read_envelope(body.encode()) == Envelope("", "", "", has_odd_user=value not in {"null", '""'})


@pytest.mark.parametrize(
    ("body", "user_id", "has_odd_user"),
    [
        (b'{"user_id":"u","data":{}}', "u", False),
        (b'{"user_id":"u","data":{"user_id":null}}', "u", False),
        (b'{"user_id":"u","data":{"user_id":""}}', "", False),
        (b'{"user_id":"u","data":{"user_id":7}}', "", True),
        (b'{"user_id":"u","data":{},"callback_data":{"user_id":"v"}}', "u", False),
        (b'{"user_id":"u","data":[],"callback_data":{"user_id":"v"}}', "v", False),
        (b'{"user_id":"' + b"u" * (MAX_IDENTIFIER_CHARACTERS + 1) + b'"}', "", True),
        (b'{"user_id":"\\ud83d"}', "", True),
    ],
    ids=["empty part", "null", "empty", "number", "first part counts", "a list is none", "long", "surrogate"],
)
def test_the_user_is_the_one_that_the_warehouse_finds(body: bytes, user_id: str, has_odd_user: bool) -> None:
    found = read_envelope(body)
    assert isinstance(found, Envelope)
    assert (found.user_id, found.has_odd_user) == (user_id, has_odd_user)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"user_id":"a","session_id":"s","session_id":"t"}', False),
        (b'{"user_id":"a","data":{"user_id":"a","note":"\\n"}}', False),
        (b'{"user_id":"a","user_id":"b"}', True),
        (b'{"user_id":"a","\\u0075ser_id":"b"}', True),
        (b'{"data":{"user_id":"a"},"data":{"user_id":"b"}}', True),
        (b'{"callback_data":{"user_id":"a","user_id":"b"}}', True),
        (b'{"user_id":"a","note":"\\n","deep":' + b"[" * 1000 + b"]" * 1000 + b"}", True),
    ],
    ids=["another name", "in two parts", "twice", "escaped", "two parts", "in a part", "too deep to tell"],
)
def test_a_body_that_leads_to_its_user_in_two_ways_is_known(body: bytes, expected: bool) -> None:
    assert may_name_several_users(body) == expected


def test_a_string_that_is_no_string_outside_may_still_be_one_further_in() -> None:
    assert read_envelope(b'{"event":7,"session_id":7,"data":{"session_id":"s"}}') == Envelope("", "", "s")


def test_a_string_too_long_to_be_a_name_names_nothing() -> None:
    longest = "s" * MAX_IDENTIFIER_CHARACTERS
    assert read_envelope(json.dumps({"session_id": longest}).encode()) == Envelope("", "", longest)
    assert read_envelope(json.dumps({"session_id": longest + "s"}).encode()) == Envelope("", "", "")


@pytest.mark.parametrize(
    "body",
    [
        b'{"session_id":"s","nul":"\\u0000"}',
        b' \t\r\n{"session_id":"s"}\n',
        b'{"session_id":"t","session_id":"s"}',
        b'{"session_id":"s","big":' + b"9" * 300 + b"}",
        b'{"session_id":"s","deep":' + b"[" * 1000 + b"]" * 1000 + b"}",
    ],
    ids=["escaped NUL", "white space around", "a name twice", "a large integer", "1000 levels"],
)
def test_unusual_json_is_still_json(body: bytes) -> None:
    assert read_envelope(body) == Envelope("", "", "s")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"event=INFERENCE_COMPLETE",
        b"{'event':'E'}",
        b'{"event":"E",}',
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b'{"stage":NaN}',
        b'{"stage":1e999,"b":NaN}',
        b'{"name":"\x00"}',
        b"\x00",
        b"[" * 100_000,
        b'{"deep":' + b"[" * 2000 + b"]" * 2000 + b"}",
    ],
    ids=[
        "empty",
        "cut off",
        "a form",
        "single quotes",
        "trailing comma",
        "two documents",
        "byte order mark",
        "NaN",
        "NaN beside a number beyond a double",
        "bare NUL",
        "only NUL",
        "endless depth",
        "2000 levels",
    ],
)
def test_what_is_not_json_is_not_json(body: bytes) -> None:
    assert read_envelope(body) is Reason.BODY_NOT_JSON


@pytest.mark.parametrize(
    ("body", "session_id"),
    [
        (b'{"event":"E","session_id":"s","stage":1e999}', "s"),
        (b'{"event":"E","session_id":"s","stage":' + b"9" * 5000 + b"}", "s"),
        (b'{"event":"E","session_id":"s","name":"\\ud83d"}', "s"),
        (b'{"event":"E","session_id":"\\ud83d"}', ""),
    ],
    ids=["beyond a double", "5000 digits", "lone surrogate", "lone surrogate in a name"],
)
def test_what_json_allows_is_taken_even_where_few_parsers_take_it(body: bytes, session_id: str) -> None:
    assert read_envelope(body) == Envelope("E", "", session_id)


@pytest.mark.parametrize(
    "body", [b"\xff", b'{"event":"\xed\xa0\x80"}', b'{"event":"M\xfcller"}', b'{"a":"\xc3']
)
def test_what_is_not_utf8_is_named_so(body: bytes) -> None:
    assert read_envelope(body) is Reason.BODY_NOT_UTF8


@pytest.mark.parametrize("body", [b"[]", b"[{}]", b'"event"', b"1", b"null", b"true"])
def test_json_that_is_no_object_is_named_so(body: bytes) -> None:
    assert read_envelope(body) is Reason.BODY_NOT_AN_OBJECT


@UNHURRIED
@given(st.binary())
def test_any_bytes_are_an_envelope_or_a_reason(body: bytes) -> None:
    found = read_envelope(body)
    assert isinstance(found, Envelope) or found in {
        Reason.BODY_NOT_UTF8,
        Reason.BODY_NOT_JSON,
        Reason.BODY_NOT_AN_OBJECT,
    }


@UNHURRIED
@given(ODD_EVENTS)
def test_any_object_is_an_envelope_whatever_its_members_are(message: dict[str, object]) -> None:
    body = json.dumps(message, ensure_ascii=False).encode()
    assert isinstance(read_envelope(body), Envelope)
