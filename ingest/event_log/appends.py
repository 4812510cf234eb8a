"""The futures of appends in flight: one wake-up per acknowledged batch, one timer for every time-out."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from ingest.event_log.base import AppendFailed, AppendTimeout, Position

Append = asyncio.Future[Position]
Outcome = Position | AppendFailed

_STEPS: Final = 20
"""Ticks of the timer per append time-out, which is noticed at most a tick and a turn of the loop late."""
_SHORTEST_TICK_SECONDS: Final = 0.001


class Appends:
    """Futures that one event loop awaits and the threads of an event log complete.

    Only `settle` may be called from another thread.
    """

    def __init__(self, timeout_seconds: float, on_timeout: Callable[[str], None]) -> None:
        self._timeout_seconds = timeout_seconds
        self._on_timeout = on_timeout
        self._tick_seconds = max(timeout_seconds / _STEPS, _SHORTEST_TICK_SECONDS)
        self._pending: list[tuple[float, Append]] = []
        self._settled: deque[tuple[Append, Outcome]] = deque()
        self._woken = False
        self._closing = False
        self._closed = False

    def start(self) -> None:
        """Take hold of the running event loop and start the timer."""
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._tick_seconds, self._tick)

    def new(self) -> Append:
        """A future that fails with AppendTimeout unless it is settled within the append time-out."""
        future: Append = self._loop.create_future()
        if self._closing:
            future.set_exception(AppendFailed("the writer is closed"))
        else:
            # Not the loop's clock: uvloop's stands still for a turn.
            self._pending.append((time.monotonic() + self._timeout_seconds, future))
        return future

    def settle(self, outcomes: Iterable[tuple[Append, Outcome]]) -> None:
        """Complete futures, from any thread: however many there are, the loop is woken once."""
        if self._closed:
            return
        self._settled.extend(outcomes)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._deliver)

    async def close(self) -> None:
        """Wait until every future is done, at most one append time-out; later outcomes are dropped."""
        self._closing = True
        unsettled = [future for _, future in self._pending if not future.done()]
        if unsettled:
            await asyncio.wait(unsettled)
        self._closed = True
        self._timer.cancel()

    def _deliver(self) -> None:
        # Lowered before the queue is emptied: what a thread adds from here on wakes the loop again.
        self._woken = False
        settled = self._settled
        while settled:
            future, outcome = settled.popleft()
            if future.done():
                continue
            if isinstance(outcome, Position):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._tick_seconds, self._tick)
        # What was acknowledged while the loop was busy is not late.
        self._deliver()
        now = time.monotonic()
        waiting = [(deadline, future) for deadline, future in self._pending if not future.done()]
        self._pending = [(deadline, future) for deadline, future in waiting if deadline > now]
        expired = [future for deadline, future in waiting if deadline <= now]
        if expired:
            problem = f"no acknowledgement within {self._timeout_seconds:g} seconds"
            for future in expired:
                future.set_exception(AppendTimeout(problem))
            self._on_timeout(problem)
