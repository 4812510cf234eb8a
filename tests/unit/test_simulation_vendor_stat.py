"""The vendor's statistics: against the vendor's own library, its worked example, and the two renderings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from pysleep.calculator import SleepStageCalculator

from pipelines.commands.send import FIRST_DAY
from pipelines.simulation.night import Night
from pipelines.simulation.recordings import simulated_nights
from pipelines.simulation.sleepers import population
from pipelines.simulation.stat_fields import live_stat, reference_stat
from pipelines.simulation.vendor_stat import vendor_stat
from tests.unit.simulated_nights import SCORED, any_night, plain_night

SECONDS = (
    "sleep_latency",
    "wakeup_latency",
    "light_latency",
    "deep_latency",
    "rem_latency",
    "time_in_bed",
    "time_in_sleep_period",
    "time_in_sleep",
    "time_in_wake",
    "time_in_light",
    "time_in_deep",
    "time_in_rem",
    "longest_waso",
    "sleep_cycle",
)
AS_THEY_ARE = (
    "sleep_time",
    "wake_time",
    "sleep_efficiency",
    "sleep_ratio",
    "wake_ratio",
    "light_ratio",
    "deep_ratio",
    "rem_ratio",
    "waso_count",
    "sleep_cycle_count",
)


def assert_equals_pysleep(night: Night) -> None:
    ours = vendor_stat(night)
    assert ours is not None
    theirs = SleepStageCalculator().calculate(list(night.stages), night.started_at, night.ended_at)
    for name in SECONDS:
        expected: timedelta | None = getattr(theirs, name)
        seconds = None if expected is None else expected.total_seconds()
        assert getattr(ours, name) == (None if seconds is None else pytest.approx(seconds, abs=1e-6)), name
    for name in AS_THEY_ARE:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert list(ours.sleep_cycle_time) == theirs.sleep_cycle_time


@settings(max_examples=150, deadline=None)
@given(any_night(stages=SCORED))
def test_statistics_equal_the_vendors_library_on_any_scored_night(night: Night) -> None:
    assert_equals_pysleep(night)


def test_statistics_equal_the_vendors_library_on_simulated_nights() -> None:
    compared = 0
    for night in simulated_nights(population(3, 12), FIRST_DAY, 7):
        if -1 not in night.stages and not night.peculiarities:
            assert_equals_pysleep(night)
            compared += 1
    assert compared > 50


def test_statistics_equal_the_vendors_worked_example() -> None:
    stages = (0,) * 30 + (1,) * 20 + (0,) * 6 + (1,) * 16 + (0,) * 48
    stat = live_stat(plain_night(120, stages=stages, snoring=(0,) * 120), None, lambda at: at.isoformat())
    assert stat is not None
    expected = {
        "sleep_latency": 900,
        "wakeup_latency": 1440,
        "light_latency": 0,
        "deep_latency": None,
        "rem_latency": None,
        "time_in_bed": 3600,
        "time_in_sleep_period": 1260,
        "time_in_sleep": 1080,
        "time_in_wake": 180,
        "time_in_light": 1080,
        "time_in_snoring": 0,
        "time_in_no_snoring": 1260,
        "sleep_efficiency": 0.3,
        "sleep_ratio": 0.86,
        "wake_ratio": 0.14,
        "no_snoring_ratio": 1.0,
        "waso_count": 1,
        "longest_waso": 180,
        "sleep_cycle_count": 0,
    }
    assert {name: stat[name] for name in expected} == expected


def test_unknown_epochs_are_neither_sleep_nor_wake() -> None:
    stat = vendor_stat(plain_night(10, stages=(-1, 0, 1, -1, -1, 0, 2, 0, -1, -1), early_stages=(0,) * 10))
    assert stat is not None
    assert (stat.sleep_latency, stat.wakeup_latency) == (60, 90)
    assert (stat.time_in_sleep, stat.time_in_wake, stat.time_in_sleep_period) == (60, 30, 90)
    assert stat.time_in_bed == 300


@pytest.mark.parametrize("peculiarity", ["TOO_SHORT_FOR_ANALYSIS", "TOO_MANY_DEFECTS_IN_SLEEP_STAGES"])
def test_a_night_that_can_not_be_analysed_has_no_statistics(peculiarity: str) -> None:
    night = plain_night(20, peculiarities=(peculiarity,))
    assert vendor_stat(night) is None
    assert reference_stat(night, str) is None
    assert live_stat(night, None, str) is None


def cycles() -> Night:
    """Two sleep cycles: REM at epochs 160..199 and 300..339 after ten epochs awake."""
    stages = (0,) * 10 + (1,) * 150 + (3,) * 40 + (2,) * 100 + (3,) * 40 + (0,) * 10
    return plain_night(350, stages=stages)


def test_the_reference_has_percent_a_duration_and_cycles_as_objects() -> None:
    night = cycles()
    stat: dict[str, Any] | None = reference_stat(night, lambda at: at.isoformat())
    assert stat is not None
    assert stat["sleep_time"] == "02:45:00"
    assert stat["sleep_efficiency"] == 94.29
    assert stat["sleep_cycle"] == [
        {"order": 1, "start_time": night.at(10).isoformat(), "end_time": night.at(199).isoformat()},
        {"order": 2, "start_time": night.at(199).isoformat(), "end_time": night.at(339).isoformat()},
    ]


def test_the_live_service_has_a_ratio_a_moment_and_the_mean_cycle_in_seconds() -> None:
    night = cycles()
    stat: dict[str, Any] | None = live_stat(night, None, lambda at: at.isoformat())
    assert stat is not None
    assert stat["sleep_time"] == night.at(10).isoformat()
    assert stat["sleep_efficiency"] == 0.94
    assert stat["sleep_cycle_count"] == 2
    assert stat["sleep_cycle"] == 30 * (339 - 10) / 2
    assert stat["sleep_cycle_time"] == [night.at(epoch).isoformat() for epoch in (10, 199, 339)]


def test_breath_and_snoring_are_counted_inside_the_sleep_period() -> None:
    night = plain_night(
        8,
        stages=(0, 1, 1, 0, 2, 1, 0, 0),
        early_stages=(0,) * 8,
        snoring=(1, 1, 0, 1, 0, 0, 1, 1),
        breath=(0, 0, 0, 0, 1, 1, 1, 1),
    )
    stat = live_stat(night, night.breath, str)
    assert stat is not None
    assert (stat["time_in_snoring"], stat["time_in_no_snoring"], stat["snoring_count"]) == (60, 90, 2)
    assert (stat["snoring_ratio"], stat["no_snoring_ratio"]) == (0.4, 0.6)
    assert (stat["time_in_unstable_breath"], stat["unstable_breath_count"]) == (60, 1)


def test_without_an_array_all_that_is_computed_from_it_is_null() -> None:
    stat = live_stat(replace(cycles(), snoring=None), None, str)
    assert stat is not None
    fields = [name for name in stat if "snoring" in name or "stable_breath" in name]
    assert len(fields) == 10
    assert {stat[name] for name in fields} == {None}
