"""Plausible hypnograms: a chain of sleep stages that drifts through cycles of about ninety minutes."""

from __future__ import annotations

import random
from typing import Final

from pipelines.simulation.night import DEEP, LIGHT, REM, UNKNOWN, WAKE, Values

_MEAN_CYCLE_EPOCHS: Final = 180
_MEAN_DWELL_EPOCHS: Final = {WAKE: 3.5, LIGHT: 8.0, DEEP: 11.0, REM: 15.0}
_SLEEP_AND_WAKE: Final = (WAKE, LIGHT, DEEP, REM)
_MISTAKEN_FOR: Final = {
    UNKNOWN: (UNKNOWN,),
    WAKE: (LIGHT, LIGHT, UNKNOWN),
    LIGHT: (WAKE, DEEP, REM),
    DEEP: (LIGHT,),
    REM: (LIGHT, WAKE),
}


def seeded(*words: object) -> random.Random:
    """A generator that gives the same numbers for the same words, in every process and on every machine."""
    return random.Random("/".join(map(str, words)))  # noqa: S311  nights are made up, not kept secret


def draw_stages(rng: random.Random, epochs: int, *, latency: int, final_wake: int) -> list[int]:
    """A night of `epochs` epochs: `latency` of them awake at first, `final_wake` awake at the end.

    Deep sleep comes mostly in the first cycles and REM mostly in the last ones; where latency and final
    wake leave no room, there is no sleep.
    """
    stages = [WAKE] * min(latency, epochs)
    asleep_until = epochs - final_wake
    cycle = 0
    while len(stages) < asleep_until:
        length = max(100, round(rng.gauss(_MEAN_CYCLE_EPOCHS, 22)))
        begin = len(stages)
        end = min(begin + length, asleep_until)
        stage = LIGHT
        while len(stages) < end:
            dwell = 1 + int(rng.expovariate(1 / _MEAN_DWELL_EPOCHS[stage]))
            stages += [stage] * min(dwell, end - len(stages))
            stage = rng.choices(_SLEEP_AND_WAKE, _weights((len(stages) - begin) / length, cycle))[0]
        cycle += 1
    return stages + [WAKE] * (epochs - len(stages))


def _weights(phase: float, cycle: int) -> tuple[float, float, float, float]:
    """How likely wake, light, deep and REM come next at this phase (0..1) of this cycle (from 0)."""
    rem_begins = max(0.6, 0.8 - 0.06 * cycle)
    if phase >= rem_begins:
        return (0.1, 0.22, 0.0, 0.9)
    if phase >= 0.12:
        return (0.12, 0.75, max(0.04, 0.75 - 0.25 * cycle), 0.0)
    return (0.16, 1.0, 0.05, 0.0)


def misread(rng: random.Random, stages: Values) -> Values:
    """What a first inference makes of these stages: about one epoch in ten wrong, in short runs."""
    early = list(stages)
    for _ in range(len(stages) // 25):
        first = rng.randrange(len(stages))
        run = min(rng.randint(1, 5), len(stages) - first)
        early[first : first + run] = [rng.choice(_MISTAKEN_FOR[stages[first]])] * run
    return tuple(early)


def lose(rng: random.Random, stages: list[int], share: float) -> list[int]:
    """These stages with a run of about `share` (0..1) of them unknown."""
    run = max(1, round(share * len(stages)))
    first = rng.randrange(len(stages) - run + 1)
    return [*stages[:first], *[UNKNOWN] * run, *stages[first + run :]]


def draw_flags(rng: random.Random, epochs: int, *, share: float, mean_run: float) -> Values:
    """Zeros with runs of ones (snoring, unstable breath) that cover about `share` (0..1) of the epochs."""
    flags: list[int] = []
    mean_pause = mean_run * (1 - share) / share
    while len(flags) < epochs:
        flags += [0] * (1 + int(rng.expovariate(1 / mean_pause)))
        flags += [1] * (1 + int(rng.expovariate(1 / mean_run)))
    return tuple(flags[:epochs])
