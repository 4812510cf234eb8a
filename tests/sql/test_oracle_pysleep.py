"""What the vendor's own library leaves open: unknown epochs, whose share a share is, and when sleep begins.

Where its definition is ours, the numbers are equal; where it is not, the test says how the two hang together.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, timedelta
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysleep import SleepStageCalculator

from ingest.settings import Settings
from tests.builds import run_build, settings_for
from tests.raw_events import land
from tests.sql.hypnograms import (
    AS_OF,
    BEGIN,
    ONE_BUILD_EACH,
    hypnograms,
    report,
    scored_hypnograms,
    session_rows,
)

ITS_ROUNDING = 0.5001
"""The library rounds ratios to two decimals; in percent."""
ITS_SHIFT = 2.0
"""What it then adds to a share, so that the four add up to one: at most all that four roundings took away."""

COLUMNS = (
    *("time_in_bed_seconds", "sleep_period_seconds", "time_in_sleep_seconds", "unknown_seconds"),
    *("time_in_light_seconds", "time_in_deep_seconds", "time_in_rem_seconds"),
    *(
        "waso_seconds",
        "waso_count",
        "longest_waso_seconds",
        "sleep_latency_seconds",
        "wakeup_latency_seconds",
    ),
    *("light_latency_seconds", "deep_latency_seconds", "rem_latency_seconds", "sleep_cycle_count"),
    *("sleep_efficiency_pct", "sleep_maintenance_pct", "light_pct", "deep_pct", "rem_pct"),
    *("sleep_onset_at", "wake_at"),
)

_examples = itertools.count(1)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_for(tmp_path_factory.mktemp("pysleep"))


def seconds(value: timedelta | None) -> int | None:
    return None if value is None else round(value.total_seconds())


def prove_sleep(row: dict[str, Any], stages: Sequence[int]) -> None:
    """What is said of sleep: the library, which has no unknown epochs, is told that they are wake."""
    stat = SleepStageCalculator().calculate([max(stage, 0) for stage in stages], BEGIN)
    slept = stat.time_in_sleep > timedelta()
    expected = {
        "time_in_bed_seconds": seconds(stat.time_in_bed),
        "time_in_sleep_seconds": seconds(stat.time_in_sleep),
        "time_in_light_seconds": seconds(stat.time_in_light),
        "time_in_deep_seconds": seconds(stat.time_in_deep),
        "time_in_rem_seconds": seconds(stat.time_in_rem),
        # where nobody slept, the library calls the whole night latency, and an empty period 0 seconds long
        "sleep_period_seconds": seconds(stat.time_in_sleep_period) if slept else None,
        "sleep_latency_seconds": seconds(stat.sleep_latency) if slept else None,
        "wakeup_latency_seconds": seconds(stat.wakeup_latency) if slept else None,
        "light_latency_seconds": seconds(stat.light_latency),
        "deep_latency_seconds": seconds(stat.deep_latency),
        "rem_latency_seconds": seconds(stat.rem_latency),
        "sleep_cycle_count": stat.sleep_cycle_count,
        "sleep_onset_at": stat.sleep_time if slept else None,
        "wake_at": stat.wake_time if slept else None,
    }
    assert {name: row[name] for name in expected} == expected, stages


def prove_wake(row: dict[str, Any], stages: Sequence[int]) -> None:
    """Wake inside the sleep period: the library's, without the epochs that are unknown."""
    stat = SleepStageCalculator().calculate([max(stage, 0) for stage in stages])
    asleep = [index for index, stage in enumerate(stages) if stage > 0]
    period = stages[asleep[0] : asleep[-1] + 1] if asleep else []
    runs = [30 * len(list(run)) for stage, run in groupby(period) if stage == 0]
    assert row["unknown_seconds"] == 30 * stages.count(-1), stages
    assert row["waso_seconds"] == round(stat.time_in_wake.total_seconds()) - 30 * period.count(-1), stages
    assert (row["waso_count"], row["longest_waso_seconds"]) == (len(runs), max(runs, default=0)), stages
    if -1 not in period:
        theirs = stat.waso_count, seconds(stat.longest_waso)
        assert (row["waso_count"], row["longest_waso_seconds"]) == theirs, stages


def prove_shares(row: dict[str, Any], stages: Sequence[int]) -> None:
    """The library's shares are of the sleep period; ours are of the time asleep, and add up to 100."""
    stat = SleepStageCalculator().calculate([max(stage, 0) for stage in stages])
    close = pytest.approx(100 * stat.sleep_efficiency, abs=ITS_ROUNDING)
    assert row["sleep_efficiency_pct"] == close, stages
    ours = [row["light_pct"], row["deep_pct"], row["rem_pct"]]
    if row["sleep_maintenance_pct"] is None:
        assert ours == [None, None, None]
        return
    assert sum(ours) == pytest.approx(100, abs=1e-3), stages
    theirs = [100 * ratio for ratio in (stat.light_ratio, stat.deep_ratio, stat.rem_ratio)]
    of_the_period = [share * row["sleep_maintenance_pct"] / 100 for share in ours]
    assert of_the_period == pytest.approx(theirs, abs=ITS_ROUNDING + ITS_SHIFT), stages


def prove_rows(built: Settings, told: dict[str, list[int]], users: str) -> None:
    rows = session_rows(built, COLUMNS, users)
    assert rows.keys() == {(user, "s") for user in told}
    for user, stages in told.items():
        row = rows[user, "s"]
        row |= {name: row[name] and row[name].astimezone(UTC) for name in ("sleep_onset_at", "wake_at")}
        prove_sleep(row, stages)
        prove_wake(row, stages)
        prove_shares(row, stages)


@given(nights=st.lists(hypnograms(-1), min_size=20, max_size=60))
@ONE_BUILD_EACH
def test_unknown_epochs_are_neither_sleep_nor_wake_of_the_vendors_library(
    warehouse: Settings, nights: list[list[int]]
) -> None:
    word = f"example-{next(_examples)}-"
    told = {f"{word}{number}": stages for number, stages in enumerate(nights)}
    land(warehouse, [report(user, stages) for user, stages in told.items()])
    run_build(warehouse, AS_OF)
    prove_rows(warehouse, told, word)


def test_what_two_people_made_of_scored_nights_is_what_the_vendors_library_says(warehouse: Settings) -> None:
    told = {f"scored-{user}": stages for user, stages in scored_hypnograms().items()}
    assert any(-1 in stages for stages in told.values())
    land(warehouse, [report(user, stages) for user, stages in told.items()])
    run_build(warehouse, AS_OF)
    prove_rows(warehouse, told, "scored-")


def test_an_unknown_epoch_is_no_stage_to_the_vendors_library() -> None:
    with pytest.raises(ValueError, match="Invalid sleep stage"):
        SleepStageCalculator().calculate([0, -1, 1])
