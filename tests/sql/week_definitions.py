"""What a user's week comes to by the published definitions, in plain Python from its nights."""

from __future__ import annotations

import cmath
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import permutations
from typing import Any, Final

EPOCHS_OF_A_DAY: Final = 24 * 60 * 2
MEANS: Final = (
    *("time_in_sleep_seconds", "sleep_efficiency_pct", "sleep_latency_seconds", "waso_seconds"),
    *("time_in_light_seconds", "time_in_deep_seconds", "time_in_rem_seconds"),
    *("light_pct", "deep_pct", "rem_pct", "vendor_sleep_index"),
)
TIMES: Final = {
    "bedtime": "started_local",
    "sleep_onset": "sleep_onset_local",
    "wake_time": "wake_local",
    "midsleep": "midsleep_local",
}
_MINUTES_OF_A_TURN: Final = 24 * 60 / (2 * math.pi)

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Night:
    """A valid main sleep: its row of sessions, and its stage per epoch."""

    row: Mapping[str, Any]
    stages: Sequence[int]


def angle(moment: datetime) -> float:
    """The time of day as an angle."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return 2 * math.pi * ((moment - midnight) / timedelta(days=1))


def direction(angles: Sequence[float]) -> complex:
    """The mean of the unit vectors; of length 0 where they cancel out."""
    return sum((cmath.rect(1, turn) for turn in angles), 0j) / len(angles) if angles else 0j


def circular_sd_minutes(angles: Sequence[float]) -> float | None:
    """Mardia's circular standard deviation, sqrt(-2 ln R), in minutes of the day."""
    length = abs(direction(angles))
    if len(angles) < 2 or length < 1e-9:
        return None
    return math.sqrt(-2 * math.log(min(length, 1))) * _MINUTES_OF_A_TURN


def circular_mean_minutes(angles: Sequence[float]) -> float | None:
    """The mean direction, in minutes after midnight."""
    mean = direction(angles)
    return None if abs(mean) < 1e-9 else cmath.phase(mean) % (2 * math.pi) * _MINUTES_OF_A_TURN


def social_jetlag_minutes(nights: Iterable[Night]) -> float | None:
    """Wittmann 2006: how far mid-sleep on free days is from mid-sleep on work days."""
    groups: dict[bool, list[float]] = {True: [], False: []}
    for night in nights:
        groups[night.row["sleep_date"].isoweekday() >= 6].append(angle(night.row["midsleep_local"]))
    free, work = direction(groups[True]), direction(groups[False])
    if min(abs(free), abs(work)) < 1e-9:
        return None
    return abs(cmath.phase(free / work)) * _MINUTES_OF_A_TURN


def regularity(nights: Sequence[Night]) -> tuple[int, float | None]:
    """Pairs of known epochs 24 hours apart, and Phillips 2017's index over them."""
    asleep = [
        {
            int(night.row["started_at"].timestamp() // 30) + index: stage > 0
            for index, stage in enumerate(night.stages)
            if stage >= 0
        }
        for night in nights
    ]
    alike = [
        state == later[slot + EPOCHS_OF_A_DAY]
        for earlier, later in permutations(asleep, 2)
        for slot, state in earlier.items()
        if slot + EPOCHS_OF_A_DAY in later
    ]
    return len(alike), 200 * sum(alike) / len(alike) - 100 if alike else None


def week_figures(nights: Sequence[Night]) -> Figures:
    """Columns of weekly_trends that the nights of one week decide; times of day as minutes after midnight."""
    found: Figures = {"nights": len(nights), "coverage_pct": 100 * len(nights) / 7}
    for column in MEANS:
        values = [night.row[column] for night in nights if night.row[column] is not None]
        found[f"{column}_mean"] = statistics.fmean(values) if values else None
    slept = [night.row["time_in_sleep_seconds"] for night in nights]
    found["time_in_sleep_seconds_median"] = statistics.median(slept) if slept else None
    found["time_in_sleep_seconds_sd"] = statistics.stdev(slept) if len(slept) > 1 else None
    for name, column in TIMES.items():
        angles = [angle(night.row[column]) for night in nights]
        found[f"{name}_local_mean"] = circular_mean_minutes(angles)
        if name in {"bedtime", "midsleep"}:
            found[f"{name}_sd_minutes"] = circular_sd_minutes(angles)
    found["sri_valid_pairs"], found["sleep_regularity_index"] = regularity(nights)
    found["social_jetlag_minutes"] = social_jetlag_minutes(nights)
    return found


def with_trends(weeks: Mapping[date, Figures]) -> dict[date, Figures]:
    """The same weeks of one user, with what they are beside the calendar weeks before them."""
    aggregates = [*(f"{c}_mean" for c in MEANS), "time_in_sleep_seconds_median", "time_in_sleep_seconds_sd"]
    trends = {}
    for monday, figures in weeks.items():
        trends[monday] = dict(figures)
        for name in aggregates:
            last_four = [
                weeks[earlier][name] if (earlier := monday - timedelta(weeks=ago)) in weeks else None
                for ago in range(4)
            ]
            now, before, *_ = last_four
            known = [value for value in last_four if value is not None]
            trends[monday][f"{name}_change"] = None if now is None or before is None else now - before
            trends[monday][f"{name}_trailing_4_weeks"] = statistics.fmean(known) if known else None
    return trends
