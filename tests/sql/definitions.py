"""Sleep statistics by the published formulas, in plain Python, for the tests that hold the SQL against them.

The formulas are those of the AASM scoring manual as YASA's `Hypnogram.sleep_statistics` documents them, under
its names: minutes for times, percent for shares, and None where it has NaN. A stage of -1 is its UNS.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

Statistics = dict[str, float | None]

_PER_MINUTE = 2
_PERSISTENT_EPOCHS = 5 * _PER_MINUTE


def published_statistics(stages: Sequence[int]) -> Statistics:
    """YASA's statistics of a hypnogram of 30-s epochs: -1 unknown, 0 wake, 1 light, 2 deep, 3 REM."""
    asleep = [index for index, stage in enumerate(stages) if stage > 0]
    period = stages[asleep[0] : asleep[-1] + 1] if asleep else []
    in_bed, slept = len(stages), len(asleep)
    awakenings = sum(before > 0 and after == 0 for before, after in pairwise(stages))
    found = {
        "TIB": in_bed / _PER_MINUTE,
        "SPT": len(period) / _PER_MINUTE,
        "WASO": period.count(0) / _PER_MINUTE if asleep else None,
        "TST": slept / _PER_MINUTE,
        "SE": 100 * slept / in_bed,
        "SME": 100 * slept / len(period) if asleep else None,
        "SFI": awakenings / (slept / _PER_MINUTE / 60) if asleep else None,
        "SOL": asleep[0] / _PER_MINUTE if asleep else None,
        "SOL_5min": _persistent_sleep(stages),
        "Lat_REM": stages.index(3) / _PER_MINUTE if 3 in stages else None,
        "WAKE": stages.count(0) / _PER_MINUTE,
    }
    for name, stage in (("LIGHT", 1), ("DEEP", 2), ("REM", 3)):
        found[name] = stages.count(stage) / _PER_MINUTE
        found[f"%{name}"] = 100 * stages.count(stage) / slept if asleep else None
    if -1 in stages:
        found["UNS"] = stages.count(-1) / _PER_MINUTE
    return found


def _persistent_sleep(stages: Sequence[int]) -> float | None:
    """Minutes to the first five minutes of sleep without a break."""
    start = 0
    for is_sleep, run in groupby(stages, lambda stage: stage > 0):
        length = len(list(run))
        if is_sleep and length >= _PERSISTENT_EPOCHS:
            return start / _PER_MINUTE
        start += length
    return None
