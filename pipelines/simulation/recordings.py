"""The nights that simulated sleepers record, naps and nights that went wrong among them."""

from __future__ import annotations

import heapq
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from pipelines.simulation.calls import BLOCK_EPOCHS
from pipelines.simulation.hypnogram import draw_flags, draw_stages, lose, misread, seeded
from pipelines.simulation.night import EPOCH_SECONDS, UNKNOWN, WAKE, Night

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence

    from pipelines.simulation.sleepers import Sleeper

_FREE_TOMORROW: Final = frozenset({4, 5})
"""Weekdays (Monday is 0) with a weekend shift of bedtime: Friday and Saturday."""


def simulated_nights(sleepers: Iterable[Sleeper], first_day: date, days: int) -> Iterator[Night]:
    """What these sleepers record from `first_day` on, ordered by start, made one by one.

    A night is a function of its user and date alone: other days or more users do not change it.
    """
    return heapq.merge(
        *(_nights_of(sleeper, first_day, days) for sleeper in sleepers), key=lambda night: night.started_at
    )


def _nights_of(sleeper: Sleeper, first_day: date, days: int) -> Iterator[Night]:
    for offset in range(days):
        day = first_day + timedelta(days=offset)
        rng = seeded(sleeper.user_id, day)
        if rng.random() < 0.06:
            yield _nap(sleeper, day, rng)
        if rng.random() < 0.95:
            yield _night(sleeper, day, rng)


def _nap(sleeper: Sleeper, day: date, rng: random.Random) -> Night:
    stages = draw_stages(rng, rng.randint(40, 200), latency=rng.randint(4, 20), final_wake=rng.randint(0, 6))
    return _record(sleeper, rng, f"{day:%Y%m%d}_nap", _clock(day, rng.uniform(13.3, 16.0)), stages)


def _night(sleeper: Sleeper, day: date, rng: random.Random) -> Night:
    """A night of 5.5 to 9.5 hours in bed, over by 13:00; now and then one that went wrong."""
    shift = sleeper.weekend_shift_hours if day.weekday() in _FREE_TOMORROW else 0.0
    bedtime = min(27.4, max(19.0, rng.gauss(sleeper.bedtime_hour + shift, sleeper.bedtime_sd_hours)))
    hours = min(9.5, max(5.5, rng.gauss(sleeper.hours_in_bed + shift / 2, 0.6)))
    latency = min(160, 2 + int(rng.lognormvariate(3.2, 0.6)))
    epochs = round(hours * 3600 / EPOCH_SECONDS)
    stages = draw_stages(rng, epochs, latency=latency, final_wake=rng.randint(0, 24))
    fate = rng.random()
    is_abandoned = 0.018 <= fate < 0.033
    if fate < 0.008:
        stages = [WAKE] * (epochs // 3)
    elif fate < 0.018:
        stages = [WAKE] * rng.randint(1, BLOCK_EPOCHS - 1)
    elif is_abandoned:
        stages = stages[: rng.randint(85, epochs // 2)]
    elif fate < 0.039:
        stages = lose(rng, stages, 0.7)
    elif fate < 0.13:
        stages = lose(rng, stages, rng.uniform(0.005, 0.06))
    night = _record(sleeper, rng, f"{day:%Y%m%d}_night", _clock(day, bedtime), stages)
    return replace(night, has_report=False) if is_abandoned else night


def _clock(day: date, hour: float) -> datetime:
    """Wall-clock time, `hour` hours after the midnight that begins `day`; without a zone."""
    return datetime.combine(day, time()) + timedelta(seconds=round(hour * 3600))


def _record(
    sleeper: Sleeper, rng: random.Random, shared_id: str, bedtime: datetime, stages: Sequence[int]
) -> Night:
    values = tuple(stages)
    share = sleeper.snoring_share
    own_id = uuid5(UUID(sleeper.user_id), shared_id)
    return Night(
        user_id=sleeper.user_id,
        session_id=shared_id if sleeper.shares_session_ids else str(own_id),
        started_at=bedtime.replace(tzinfo=ZoneInfo(sleeper.timezone)).astimezone(UTC),
        timezone=sleeper.timezone,
        stages=values,
        early_stages=misread(rng, values),
        snoring=None if share is None else draw_flags(rng, len(values), share=share, mean_run=6),
        breath=draw_flags(rng, len(values), share=0.04, mean_run=3) if sleeper.has_breath else None,
        missing_data_ratio=round(values.count(UNKNOWN) / len(values), 2),
        peculiarities=_peculiarities(values),
    )


def _peculiarities(stages: Sequence[int]) -> tuple[str, ...]:
    if len(stages) < BLOCK_EPOCHS:
        return ("TOO_SHORT_FOR_ANALYSIS",)
    if stages.count(UNKNOWN) > len(stages) / 2:
        return ("TOO_MANY_DEFECTS_IN_SLEEP_STAGES",)
    return () if max(stages) > WAKE else ("NEVER_SLEPT",)
