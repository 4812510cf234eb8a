"""Our statistics are those of the vendor's own library, and the same in whatever dialect a night is told."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysleep import SleepStageCalculator

from ingest.settings import Settings
from pipelines.simulation.dialects import Dialect, calls_of
from pipelines.simulation.night import Night
from pipelines.simulation.recordings import simulated_nights
from pipelines.simulation.sleepers import population
from tests.builds import build_of, open_build, run_build, settings_for
from tests.raw_events import Event, land
from tests.sql.hypnograms import (
    AS_OF,
    ONE_BUILD_EACH,
    Key,
    hypnograms,
    report,
    scored_nights,
    session_rows,
)

LINEAGE = {
    *("inference_events", "final_reports", "duplicate_events"),
    *("first_received_at", "last_received_at", "started_at_source"),
    *("raw_receipt_id", "stages_receipt_id"),
}
UNSAID_BY_SOME = {"snoring_seconds", "unstable_breath_seconds", "missing_data_ratio", "peculiarities"}
"""What not every dialect has a field for."""


def by_pysleep(stages: Sequence[int]) -> dict[str, Any]:
    """The columns of sessions as the vendor's library has them."""
    stat = SleepStageCalculator().calculate(list(stages))
    slept = stat.time_in_sleep > timedelta()
    durations = {
        "time_in_sleep_seconds": stat.time_in_sleep,
        "time_in_light_seconds": stat.time_in_light,
        "time_in_deep_seconds": stat.time_in_deep,
        "time_in_rem_seconds": stat.time_in_rem,
        "waso_seconds": stat.time_in_wake,
        "longest_waso_seconds": stat.longest_waso,
        # without any sleep the library calls the whole night latency; here there is none
        "sleep_latency_seconds": stat.sleep_latency if slept else None,
        "wakeup_latency_seconds": stat.wakeup_latency if slept else None,
        "sleep_period_seconds": stat.time_in_sleep_period if slept else None,
        "light_latency_seconds": stat.light_latency,
        "deep_latency_seconds": stat.deep_latency,
        "rem_latency_seconds": stat.rem_latency,
    }
    seconds = {
        name: None if value is None else round(value.total_seconds()) for name, value in durations.items()
    }
    return seconds | {"waso_count": stat.waso_count, "sleep_cycle_count": stat.sleep_cycle_count}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_for(tmp_path_factory.mktemp("statistics"))


_examples = itertools.count(1)


@given(nights=st.lists(hypnograms(0), min_size=20, max_size=40))
@ONE_BUILD_EACH
def test_statistics_of_any_hypnogram_are_those_of_pysleep(
    warehouse: Settings, nights: list[list[int]]
) -> None:
    word = f"example-{next(_examples)}-"
    told = {f"{word}{number}": stages for number, stages in enumerate(nights)}
    land(warehouse, [report(user, stages) for user, stages in told.items()])
    run_build(warehouse, AS_OF)
    expected = {(user, "s"): by_pysleep(stages) for user, stages in told.items()}
    assert session_rows(warehouse, list(by_pysleep([0])), word) == expected


def made_up_nights() -> list[Night]:
    nights = simulated_nights(population(7, 5), date(2026, 1, 5), 1)
    return [night for night in nights if night.has_report and not night.peculiarities]


def told_in(dialect: Dialect, nights: Sequence[Night]) -> list[Event]:
    return [
        Event(body=call.body, user_id=call.headers["x-user-id"], received_at=call.send_at)
        for night in nights
        for call in calls_of(night, dialect, zone_names=False)
    ]


def test_statistics_of_scored_nights_are_those_of_pysleep(tmp_path: Path) -> None:
    nights = [night for night in scored_nights() if -1 not in night.stages]
    assert nights
    built = build_of(tmp_path, told_in(Dialect.NESTED, nights), AS_OF)
    expected = {(night.user_id, night.session_id): by_pysleep(night.stages) for night in nights}
    assert session_rows(built, list(by_pysleep([0]))) == expected


@pytest.mark.parametrize(
    ("nights", "unsaid"),
    [
        pytest.param(scored_nights, set(), id="scored"),
        pytest.param(made_up_nights, UNSAID_BY_SOME, id="made up"),
    ],
)
def test_a_night_is_the_same_row_in_every_dialect(nights: Any, unsaid: set[str], tmp_path: Path) -> None:
    told = nights()
    builds = {dialect: build_of(tmp_path / dialect, told_in(dialect, told), AS_OF) for dialect in Dialect}
    with open_build(builds[Dialect.FLAT]) as connection:
        every_column = connection.table("sessions").columns
    columns = [c for c in every_column if not c.startswith("vendor_") and c not in LINEAGE | unsaid]
    in_flat: dict[Key, dict[str, Any]] = {}
    for dialect, built in builds.items():
        rows = session_rows(built, columns)
        assert len(rows) == len(told)
        in_flat = in_flat or rows
        assert rows == in_flat, dialect
