"""The statistics a vendor's report carries, by the vendor's own published definitions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from pipelines.simulation.night import DEEP, EPOCH_SECONDS, LIGHT, REM, WAKE, Night, Values

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

WITHOUT_STATISTICS: Final = frozenset({"TOO_SHORT_FOR_ANALYSIS", "TOO_MANY_DEFECTS_IN_SLEEP_STAGES"})
"""Peculiarities of a report whose `stat` is null."""

_REM_GAP_EPOCHS: Final = 20
"""More epochs than this between two of REM, and they belong to two clusters."""
_REM_CLUSTER_EPOCHS: Final = 20
"""REM epochs that a cluster needs to end a sleep cycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorStat:
    """Seconds, unless the name says otherwise; ratios are 0..1 with 2 decimals; None: no such thing."""

    sleep_time: datetime
    wake_time: datetime
    sleep_latency: int
    wakeup_latency: int
    light_latency: int | None
    deep_latency: int | None
    rem_latency: int | None
    time_in_bed: int
    time_in_sleep_period: int
    time_in_sleep: int
    time_in_wake: int
    time_in_light: int
    time_in_deep: int
    time_in_rem: int
    sleep_efficiency: float
    sleep_ratio: float
    wake_ratio: float
    light_ratio: float
    deep_ratio: float
    rem_ratio: float
    waso_count: int
    longest_waso: int
    sleep_cycle_count: int
    sleep_cycle: float | None
    """Mean length of a cycle."""
    sleep_cycle_time: tuple[datetime, ...]
    """Sleep onset, then the end of each cycle; empty without one."""
    sleep_index: int
    """A score of 0..100; the vendor publishes no definition, this one rewards long and unbroken sleep."""


def vendor_stat(night: Night) -> VendorStat | None:
    """What the vendor says of this night, or None where it says nothing (see WITHOUT_STATISTICS).

    Without any sleep the latency is the whole session and the sleep period is empty. Unknown epochs are
    neither sleep nor wake.
    """
    if WITHOUT_STATISTICS.intersection(night.peculiarities):
        return None
    stages = night.stages
    onset, end = sleep_period(stages)
    period = stages[onset:end]
    light, deep, rem, wake = (period.count(stage) for stage in (LIGHT, DEEP, REM, WAKE))
    asleep = light + deep + rem
    wakes = [sum(1 for _ in run) for stage, run in groupby(period) if stage == WAKE]
    cycle_ends = _rem_cluster_ends(period)
    in_bed = EPOCH_SECONDS * len(stages)
    ratios = _shares((light, rem, deep, wake), asleep + wake)
    efficiency = round(EPOCH_SECONDS * asleep / in_bed, 2)
    return VendorStat(
        sleep_time=night.at(onset),
        wake_time=night.at(end),
        sleep_latency=EPOCH_SECONDS * onset,
        wakeup_latency=EPOCH_SECONDS * (len(stages) - end),
        light_latency=_latency(period, LIGHT),
        deep_latency=_latency(period, DEEP),
        rem_latency=_latency(period, REM),
        time_in_bed=in_bed,
        time_in_sleep_period=EPOCH_SECONDS * (asleep + wake),
        time_in_sleep=EPOCH_SECONDS * asleep,
        time_in_wake=EPOCH_SECONDS * wake,
        time_in_light=EPOCH_SECONDS * light,
        time_in_deep=EPOCH_SECONDS * deep,
        time_in_rem=EPOCH_SECONDS * rem,
        sleep_efficiency=efficiency,
        sleep_ratio=round(1 - ratios[3], 2) if period else 0.0,
        light_ratio=ratios[0],
        rem_ratio=ratios[1],
        deep_ratio=ratios[2],
        wake_ratio=ratios[3],
        waso_count=len(wakes),
        longest_waso=EPOCH_SECONDS * max(wakes, default=0),
        sleep_cycle_count=len(cycle_ends),
        sleep_cycle=EPOCH_SECONDS * cycle_ends[-1] / len(cycle_ends) if cycle_ends else None,
        sleep_cycle_time=tuple(night.at(onset + epoch) for epoch in (0, *cycle_ends)) if cycle_ends else (),
        sleep_index=round(50 * min(1.0, asleep * EPOCH_SECONDS / 28_800) + 50 * efficiency),
    )


def sleep_period(stages: Sequence[int]) -> tuple[int, int]:
    """First epoch of sleep and one past the last; the end of the night twice where there is none."""
    asleep = [epoch for epoch, stage in enumerate(stages) if stage > WAKE]
    return (asleep[0], asleep[-1] + 1) if asleep else (len(stages), len(stages))


def _latency(period: Values, stage: int) -> int | None:
    return EPOCH_SECONDS * period.index(stage) if stage in period else None


def _rem_cluster_ends(period: Values) -> list[int]:
    """Last epoch (from sleep onset) of each REM cluster that is long enough to end a sleep cycle."""
    clusters: list[list[int]] = []
    for epoch, stage in enumerate(period):
        if stage != REM:
            continue
        if clusters and epoch - clusters[-1][-1] - 1 <= _REM_GAP_EPOCHS:
            clusters[-1].append(epoch)
        else:
            clusters.append([epoch])
    return [cluster[-1] for cluster in clusters if len(cluster) >= _REM_CLUSTER_EPOCHS]


def _shares(counts: Sequence[int], total: int) -> list[float]:
    """These counts over their total, in hundredths that add up to one.

    What rounding leaves over goes to the first count that has a share.
    """
    if not total:
        return [0.0] * len(counts)
    hundredths = [round(100 * round(count / total, 2)) for count in counts]
    while excess := sum(hundredths) - 100:
        taker = next(place for place, share in enumerate(hundredths) if share)
        hundredths[taker] -= 1 if excess > 0 else -1
    return [share / 100 for share in hundredths]
