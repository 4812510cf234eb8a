"""Disorder between calls: retries, late windows, bad calls, and the stream that all of them make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.simulation.bad_bodies import bad_calls
from pipelines.simulation.calls import Kind
from pipelines.simulation.dialects import Dialect, calls_of, rotation
from pipelines.simulation.disorder import stir
from pipelines.simulation.night import Night
from pipelines.simulation.traffic import traffic
from tests.unit.simulated_nights import any_night, final_stages, plain_night

LONG = plain_night(1000)


@pytest.mark.parametrize("dialect", Dialect)
def test_stirring_adds_verbatim_copies_and_loses_nothing(dialect: Dialect) -> None:
    calls = calls_of(LONG, dialect)
    stirred = stir(calls, seed=4)
    assert {call.body for call in stirred} == {call.body for call in calls}
    copies = [call for call in stirred if call.kind is Kind.DUPLICATE]
    assert len(stirred) == len(calls) + len(copies)
    assert {call.session for call in stirred} == {("user 7", "session 9")}


@pytest.mark.parametrize("dialect", Dialect)
def test_a_copy_comes_after_its_original(dialect: Dialect) -> None:
    seen: set[bytes] = set()
    copies = 0
    for seed in range(20):
        for call in stir(calls_of(replace(LONG, session_id=str(seed)), dialect), seed):
            assert (call.kind is Kind.DUPLICATE) == (call.body in seen)
            copies += call.kind is Kind.DUPLICATE
            seen.add(call.body)
    assert copies > 10


def test_windows_arrive_swapped_hours_late_and_after_the_report() -> None:
    late, after_report = 0, 0
    for seed in range(20):
        stirred = stir(calls_of(LONG, Dialect.NESTED), seed)
        report = next(place for place, call in enumerate(stirred) if call.kind is Kind.REPORT)
        late += sum(call.kind is Kind.LATE for call in stirred)
        after_report += sum(call.kind is Kind.LATE for call in stirred[report:])
    assert late > 20
    assert 0 < after_report < late / 2


@pytest.mark.parametrize("has_report", [True, False])
@pytest.mark.parametrize("dialect", Dialect)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_stirring_changes_no_final_stage(dialect: Dialect, has_report: bool, data: st.DataObject) -> None:
    night: Night = data.draw(any_night(has_report=has_report))
    calls = calls_of(night, dialect)
    assert final_stages(stir(calls, data.draw(st.integers(0, 1000)))) == final_stages(calls)


def test_the_same_seed_stirs_in_the_same_way() -> None:
    calls = calls_of(LONG, Dialect.FLAT)
    assert stir(calls, 4) == stir(calls, 4)
    assert stir(calls, 4) != stir(calls, 5)
    assert stir([], 4) == []


def nights(count: int) -> list[Night]:
    """Overlapping nights of different users, an hour apart."""
    first = plain_night(300)
    return [
        replace(first, user_id=f"user {n}", started_at=first.started_at + timedelta(hours=n))
        for n in range(count)
    ]


def test_traffic_is_ordered_by_simulated_time() -> None:
    some = nights(12)
    for seed in (None, 3):
        moments = [
            call.send_at
            for call in traffic(some, rotation(night.user_id for night in some), disorder_seed=seed)
        ]
        assert moments == sorted(moments)


def test_clean_traffic_is_the_calls_of_the_nights_and_nothing_else() -> None:
    some = nights(6)
    dialects = rotation(night.user_id for night in some)
    expected = [call for night in some for call in calls_of(night, dialects[night.user_id], zone_names=False)]
    sent = list(traffic(some, dialects, zone_names=False))
    assert Counter(call.body for call in sent) == Counter(call.body for call in expected)
    assert {call.expect for call in sent} == {200}


def test_traffic_makes_nights_only_when_their_time_has_come() -> None:
    made: list[Night] = []

    def lazily() -> Iterator[Night]:
        for night in nights(50):
            made.append(night)
            yield night

    next(traffic(lazily(), {f"user {n}": Dialect.FLAT for n in range(50)}))
    assert len(made) == 2


def test_disorder_brings_every_kind_of_bad_call_and_then_now_and_then_one() -> None:
    some = nights(100)
    calls = list(traffic(some, rotation(night.user_id for night in some), disorder_seed=1))
    details = Counter(call.detail for call in calls if call.kind in {Kind.BAD, Kind.WRONG_KEY})
    assert set(details) == {call.detail for call in bad_calls(1, 0, some[0].started_at)}
    assert 2 <= details.total() - len(details) <= 25


def test_two_runs_send_the_same_bytes() -> None:
    def run() -> list[tuple[bytes, str]]:
        some = nights(8)
        stream = traffic(some, rotation(night.user_id for night in some), disorder_seed=2)
        return [(call.body, call.kind) for call in stream]

    assert run() == run()
