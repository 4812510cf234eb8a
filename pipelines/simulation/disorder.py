"""What a bad network makes of one session's calls: retries, windows out of order, windows too late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pipelines.simulation.calls import Kind
from pipelines.simulation.hypnogram import seeded

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from datetime import datetime

    from pipelines.simulation.calls import Call

_SWAPPED: Final = 0.02
_HOURS_LATE: Final = 0.004
_AFTER_THE_END: Final = 0.003
_RETRIED: Final = 0.015
_RETRIED_MUCH_LATER: Final = 0.004


def stir(calls: Sequence[Call], seed: int) -> list[Call]:
    """The same calls, in the order in which they now arrive, with some verbatim retries among them.

    The stages that they leave in the end are the same: a call whose order matters is never delayed, and a
    retry comes after its first copy. Deterministic by seed and session.
    """
    if not calls:
        return []
    rng = seeded("disorder", seed, *calls[0].session)
    end = calls[-1].send_at
    arriving: list[Call] = []
    for call in calls:
        arrival = _delayed(call, end, rng)
        arriving.append(arrival)
        draw = rng.random()
        if draw < _RETRIED + _RETRIED_MUCH_LATER:
            wait = rng.uniform(5, 60) if draw < _RETRIED else rng.uniform(3_600, 30_000)
            arriving.append(
                replace(arrival, kind=Kind.DUPLICATE, send_at=arrival.send_at + timedelta(seconds=wait))
            )
    return sorted(arriving, key=lambda call: call.send_at)


def _delayed(call: Call, end: datetime, rng: random.Random) -> Call:
    if call.order_matters or call.kind is Kind.REPORT:
        return call
    draw = rng.random()
    if draw < _AFTER_THE_END:
        return replace(call, kind=Kind.LATE, send_at=end + timedelta(minutes=rng.uniform(1, 120)))
    if draw < _AFTER_THE_END + _HOURS_LATE:
        return replace(call, kind=Kind.LATE, send_at=call.send_at + timedelta(hours=rng.uniform(0.5, 3)))
    if draw < _AFTER_THE_END + _HOURS_LATE + _SWAPPED:
        return replace(call, kind=Kind.LATE, send_at=call.send_at + timedelta(seconds=330))
    return call
