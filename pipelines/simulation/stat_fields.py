"""The report's `stat` object, as the reference writes it and as the live service does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import groupby, pairwise

from pipelines.simulation.night import EPOCH_SECONDS, Night, Values
from pipelines.simulation.vendor_stat import sleep_period, vendor_stat

Body = dict[str, object]
"""A JSON object; tuples are arrays."""

Render = Callable[[datetime], str]
"""An instant as ISO 8601 text, in the way this sender writes times."""


def reference_stat(night: Night, at: Render) -> Body | None:
    """Efficiency in percent, `sleep_time` as a duration HH:MM:SS, cycles as objects."""
    stat = vendor_stat(night)
    if stat is None:
        return None
    minutes, seconds = divmod(stat.time_in_sleep, 60)
    return {
        "sleep_time": f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}",
        "sleep_index": stat.sleep_index,
        "sleep_latency": stat.sleep_latency,
        "time_in_bed": stat.time_in_bed,
        "time_in_sleep": stat.time_in_sleep,
        "time_in_light": stat.time_in_light,
        "time_in_deep": stat.time_in_deep,
        "time_in_rem": stat.time_in_rem,
        "sleep_efficiency": round(100 * stat.time_in_sleep / stat.time_in_bed, 2),
        "waso_count": stat.waso_count,
        "longest_waso": stat.longest_waso,
        "sleep_cycle": [
            {"order": order, "start_time": at(start), "end_time": at(end)}
            for order, (start, end) in enumerate(pairwise(stat.sleep_cycle_time), start=1)
        ],
    }


def live_stat(night: Night, breath: Values | None, at: Render) -> Body | None:
    """Efficiency as a ratio, `sleep_time` as the moment of onset, the mean cycle in seconds.

    `breath` is what the report says of breathing: None gives null in all that is computed from it.
    """
    stat = vendor_stat(night)
    if stat is None:
        return None
    period = slice(*sleep_period(night.stages))
    return {
        "sleep_time": at(stat.sleep_time),
        "wake_time": at(stat.wake_time),
        "sleep_index": stat.sleep_index,
        "sleep_latency": stat.sleep_latency,
        "wakeup_latency": stat.wakeup_latency,
        "light_latency": stat.light_latency,
        "deep_latency": stat.deep_latency,
        "rem_latency": stat.rem_latency,
        "time_in_bed": stat.time_in_bed,
        "time_in_sleep_period": stat.time_in_sleep_period,
        "time_in_sleep": stat.time_in_sleep,
        "time_in_wake": stat.time_in_wake,
        "time_in_light": stat.time_in_light,
        "time_in_deep": stat.time_in_deep,
        "time_in_rem": stat.time_in_rem,
        **_flag_fields(breath, period, yes="unstable_breath", no="stable_breath"),
        **_flag_fields(night.snoring, period, yes="snoring", no="no_snoring"),
        "sleep_efficiency": stat.sleep_efficiency,
        "sleep_ratio": stat.sleep_ratio,
        "wake_ratio": stat.wake_ratio,
        "light_ratio": stat.light_ratio,
        "deep_ratio": stat.deep_ratio,
        "rem_ratio": stat.rem_ratio,
        "breathing_index": None,
        "breathing_pattern": None,
        "waso_count": stat.waso_count,
        "longest_waso": stat.longest_waso,
        "sleep_cycle_count": stat.sleep_cycle_count,
        "sleep_cycle": stat.sleep_cycle,
        "sleep_cycle_time": [at(moment) for moment in stat.sleep_cycle_time],
    }


def _flag_fields(flags: Values | None, period: slice, *, yes: str, no: str) -> Body:
    """Seconds, shares of the sleep period and number of runs of a 0/1 array; all null without one."""
    names = (f"time_in_{yes}", f"time_in_{no}", f"{yes}_ratio", f"{no}_ratio", f"{yes}_count")
    if flags is None:
        return dict.fromkeys(names)
    asleep = flags[period]
    ones = sum(asleep)
    ratio = round(ones / len(asleep), 2) if asleep else 0.0
    runs = sum(1 for flag, _ in groupby(asleep) if flag)
    zeros = len(asleep) - ones
    values = (
        EPOCH_SECONDS * ones,
        EPOCH_SECONDS * zeros,
        ratio,
        round(1 - ratio, 2) if asleep else 0.0,
        runs,
    )
    return dict(zip(names, values, strict=True))
