"""Bad calls get from the receiver what its contract promises, each of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pipelines.simulation.bad_bodies import bad_calls
from pipelines.simulation.calls import Call, Kind
from tests.unit.asgi_calls import KEY, post, receiver
from tests.unit.memory_log import MemoryLog

NOW = datetime(2026, 10, 19, tzinfo=UTC)
CALLS = {call.detail: call for call in bad_calls(1, 0, NOW)}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_the_receiver_answers_as_expected(call: Call) -> None:
    headers = {"x-api-key": KEY, **call.headers}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert post(receiver(MemoryLog()), call.body, encoded).status == call.expect


def test_only_the_wrong_key_brings_a_key_of_its_own() -> None:
    own_key = [detail for detail, call in CALLS.items() if "x-api-key" in call.headers]
    assert own_key == ["wrong key"]
    assert CALLS["wrong key"].kind is Kind.WRONG_KEY


def test_bodies_have_the_fault_that_they_are_named_for() -> None:
    bodies = {detail: call.body for detail, call in CALLS.items()}
    assert json.loads(bodies["stage 7"])["sleep_stages"][-1] == 7
    assert "session_id" not in json.loads(bodies["no session id"])
    assert json.loads(bodies["invalid time zone"])["session"]["timezone"] == "Mars/Olympus_Mons"
    assert "\x00" in json.loads(bodies["NUL character"])["session_id"]
    lengths = json.loads(bodies["arrays of different length"])
    assert len(lengths["snoring_stages"]) != len(lengths["sleep_stages"])
    assert len(bodies["2 MiB"]) > 2 * 1024 * 1024
    with pytest.raises(json.JSONDecodeError):
        json.loads(bodies["malformed JSON"])
    with pytest.raises(UnicodeDecodeError):
        bodies["not UTF-8"].decode()


def test_rounds_of_bad_calls_share_a_user_and_no_session() -> None:
    rounds = [bad_calls(1, number, NOW) for number in (0, 1)]
    assert len({call.session[0] for calls in rounds for call in calls}) == 1
    assert {call.session for call in rounds[0]}.isdisjoint({call.session for call in rounds[1]})
