"""What the dialects make of a night: all of them tell the same one, in order, each with its own zones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings

from pipelines.simulation.dialects import Dialect, calls_of, rotation
from pipelines.simulation.night import Night
from tests.unit.simulated_nights import any_night, data, event, final_stages, local, message, plain_night


@pytest.mark.parametrize("dialect", Dialect)
@settings(max_examples=25, deadline=None)
@given(any_night())
def test_the_final_stages_can_be_read_from_every_dialect(dialect: Dialect, night: Night) -> None:
    assert final_stages(calls_of(night, dialect)) == dict(enumerate(night.stages))


@settings(max_examples=25, deadline=None)
@given(any_night(has_report=False))
def test_an_abandoned_night_leaves_the_same_stages_in_every_dialect(night: Night) -> None:
    blocks = len(night.stages) // 10 * 10
    expected = {
        epoch: (night.stages if epoch % 80 >= 40 and epoch // 80 < blocks // 80 else night.early_stages)[
            epoch
        ]
        for epoch in range(blocks)
    }
    for dialect in Dialect:
        calls = calls_of(night, dialect)
        assert {event(call) for call in calls} <= {"INFERENCE_COMPLETE"}
        assert final_stages(calls) == expected, dialect


@pytest.mark.parametrize("dialect", Dialect)
def test_every_dialect_tells_the_same_start_and_end(dialect: Dialect) -> None:
    night = plain_night()
    for zone_names in (True, False):
        calls = calls_of(night, dialect, zone_names=zone_names)
        session = data(calls[-1]).get("session")
        if session is None:
            windows = [data(call)["time_window"] for call in calls[:-1]]
            starts, ends = (
                [datetime.fromisoformat(window[side]) for window in windows] for side in ("start", "end")
            )
            assert (min(starts), max(ends)) == (night.started_at, night.ended_at)
            continue
        prefix = "session_" if dialect is Dialect.V1 else ""
        assert datetime.fromisoformat(session[f"{prefix}start_time"]) == night.started_at
        assert datetime.fromisoformat(session[f"{prefix}end_time"]) == night.ended_at


def times_in(value: object) -> list[str]:
    """Every ISO 8601 time in a body."""
    if isinstance(value, dict):
        return [time for item in value.values() for time in times_in(item)]
    if isinstance(value, list):
        return [time for item in value for time in times_in(item)]
    return [value] if isinstance(value, str) and value[:2] == "20" and "T" in value else []


@pytest.mark.parametrize("dialect", Dialect)
def test_without_zone_names_only_the_offset_of_the_start_tells_the_zone(dialect: Dialect) -> None:
    start = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    night = plain_night(400, timezone="Europe/Berlin", started_at=start)
    assert local(night.ended_at, "Europe/Berlin") - local(start, "Europe/Berlin") != night.ended_at - start
    for call in calls_of(night, dialect, zone_names=False):
        assert b"Berlin" not in call.body
        assert b'"UTC"' not in call.body
        assert {time[-6:] for time in times_in(message(call))} <= {"+02:00"}


@pytest.mark.parametrize("dialect", [Dialect.PARTIAL, Dialect.V1])
def test_where_nothing_names_the_users_zone_the_offset_is_the_local_one(dialect: Dialect) -> None:
    start = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    for number in range(12):
        night = plain_night(400, timezone="Europe/Berlin", started_at=start, session_id=f"session {number}")
        offsets = {time[-6:] for call in calls_of(night, dialect) for time in times_in(message(call))}
        assert offsets == {"+02:00", "+01:00"}


def test_times_come_as_zulu_as_utc_offset_and_as_local_offset() -> None:
    def styles(dialect: Dialect) -> set[str]:
        nights = [plain_night(session_id=f"session {number}") for number in range(40)]
        times = [time for night in nights for time in times_in(message(calls_of(night, dialect)[-1]))]
        return {time[19:] for time in times}

    assert styles(Dialect.FLAT) == {"Z", "+00:00", "+09:00"}
    assert styles(Dialect.NESTED) == {"Z", "+00:00"}


def test_both_paths_are_used_and_a_session_keeps_to_one() -> None:
    nights = [plain_night(session_id=f"session {number}") for number in range(40)]
    paths = [{call.path for call in calls_of(night, Dialect.FLAT)} for night in nights]
    assert all(len(of_one) == 1 for of_one in paths)
    assert set.union(*paths) == {"webhook", "asleep-webhook"}


@pytest.mark.parametrize("dialect", Dialect)
def test_calls_are_in_the_order_in_which_they_are_sent(dialect: Dialect) -> None:
    moments = [call.send_at for call in calls_of(plain_night(400), dialect)]
    assert moments == sorted(moments)


@pytest.mark.parametrize("dialect", Dialect)
def test_only_what_nothing_else_can_order_must_keep_its_order(dialect: Dialect) -> None:
    complete = {call.order_matters for call in calls_of(plain_night(), dialect)}
    abandoned = {call.order_matters for call in calls_of(replace(plain_night(), has_report=False), dialect)}
    assert complete == {dialect is Dialect.PARTIAL}
    assert abandoned == {dialect is not Dialect.FLAT}


@pytest.mark.parametrize("dialect", Dialect)
def test_no_two_events_of_a_night_are_the_same(dialect: Dialect) -> None:
    bodies = [call.body for call in calls_of(plain_night(400), dialect)]
    assert len(set(bodies)) == len(bodies)


def test_users_take_turns_with_the_dialects_and_keep_theirs() -> None:
    users = [f"user {number}" for number in range(7)]
    assert list(rotation(users).values()) == [*Dialect, Dialect.FLAT, Dialect.PARTIAL]
    assert rotation(users[:2]).items() <= rotation(users).items()
    assert set(rotation(users, [Dialect.V1]).values()) == {Dialect.V1}
