"""Statistics that the vendor's own library computes of a night agree with ours, for nights of every kind."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from pysleep import SleepStageCalculator

from ingest.settings import Settings
from tests.builds import build_of, rows
from tests.raw_events import Event

BEGIN: Final = datetime(2026, 1, 5, 22, 0, tzinfo=UTC)
COMPARED: Final = (
    *("time_in_bed", "time_in_sleep_period", "time_in_sleep", "time_in_wake"),
    *("time_in_light", "time_in_deep", "time_in_rem"),
    *("sleep_latency", "wakeup_latency", "light_latency", "deep_latency", "rem_latency"),
    *("sleep_time", "wake_time", "sleep_cycle", "sleep_cycle_time", "sleep_cycle_count"),
    *("sleep_efficiency", "sleep_ratio", "wake_ratio", "light_ratio", "deep_ratio", "rem_ratio"),
    *("waso_count", "longest_waso"),
)


def hypnograms() -> list[list[int]]:
    """Nights of every kind, those without any sleep and those of one epoch among them."""
    dice = random.Random(5)
    nights = [[0] * 20, [1], [0], [3] * 20, [1] * 20 + [2] * 20 + [3] * 20, [0, 3] * 30]
    for _ in range(120):
        runs = [
            (dice.randint(0, 3), dice.choice([1, 2, 9, 19, 20, 21, 40])) for _ in range(dice.randint(1, 25))
        ]
        nights.append([stage for stage, epochs in runs for _ in range(epochs)])
    return nights


def told(value: Any) -> Any:
    """A value of the library as the live service writes it."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, list):
        return [told(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def report(user: str, stages: list[int]) -> Event:
    end = BEGIN + timedelta(seconds=30 * len(stages))
    stat = SleepStageCalculator().calculate(stages, BEGIN, end)
    session = {"id": "s", "start_time": told(BEGIN), "end_time": told(end), "sleep_stages": stages}
    data = {
        "user_id": user,
        "session": session,
        "stat": {name: told(getattr(stat, name)) for name in COMPARED},
    }
    return Event(body={"event": "SESSION_COMPLETE", "data": data}, received_at=end)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    events = [report(f"user-{number}", stages) for number, stages in enumerate(hypnograms())]
    return build_of(tmp_path_factory.mktemp("reconciliation"), events, BEGIN + timedelta(days=2))


def test_every_statistic_of_the_library_is_within_tolerance(built: Settings) -> None:
    differing = rows(built, "from stat_reconciliation where is_within_tolerance is not true")
    assert differing == []


def test_every_statistic_of_the_library_is_compared(built: Settings) -> None:
    compared = rows(built, "select distinct metric from stat_reconciliation")
    assert {metric for (metric,) in compared} == set(COMPARED)


def test_what_the_library_rounds_to_nothing_is_equal(built: Settings) -> None:
    [(differing,)] = rows(
        built, "select count(*) from stat_reconciliation where unit <> 'percent' and difference <> 0"
    )
    assert differing == 0
