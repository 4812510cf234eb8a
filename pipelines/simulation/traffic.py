"""Many nights -> one stream of calls in the order of simulated time, made while it is read."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING, Final

from pipelines.simulation.bad_bodies import bad_calls
from pipelines.simulation.dialects import calls_of
from pipelines.simulation.disorder import stir
from pipelines.simulation.hypnogram import seeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from pipelines.simulation.calls import Call
    from pipelines.simulation.dialects import Dialect
    from pipelines.simulation.night import Night

_NIGHTS_WITH_A_BAD_CALL: Final = 0.1


def traffic(
    nights: Iterable[Night],
    dialects: Mapping[str, Dialect],
    *,
    zone_names: bool = True,
    disorder_seed: int | None = None,
) -> Iterator[Call]:
    """The calls of these nights (ordered by start), each user's in the user's dialect.

    With a `disorder_seed` sessions are stirred, and bad calls come between them: one of every kind beside
    the first night, one of some kind beside every tenth or so. Holds only what overlaps in time.
    """
    waiting: list[tuple[datetime, int, Call]] = []
    arrival = count()
    for number, night in enumerate(nights):
        while waiting and waiting[0][0] <= night.started_at:
            yield heapq.heappop(waiting)[2]
        calls = calls_of(night, dialects[night.user_id], zone_names=zone_names)
        if disorder_seed is not None:
            calls = stir(calls, disorder_seed) + _bad_company(night, number, disorder_seed)
        for call in calls:
            heapq.heappush(waiting, (call.send_at, next(arrival), call))
    while waiting:
        yield heapq.heappop(waiting)[2]


def _bad_company(night: Night, number: int, seed: int) -> list[Call]:
    rng = seeded("bad company", seed, night.user_id, night.session_id)
    if number and rng.random() >= _NIGHTS_WITH_A_BAD_CALL:
        return []
    calls = bad_calls(seed, number, night.started_at)
    return calls if number == 0 else [rng.choice(calls)]
