"""Whose turn it is: many sessions at once, each session's calls in order and one at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.simulation.calls import Call


class Turns:
    """Hands out calls so that each session has at most one under way, and sessions take turns."""

    def __init__(self, most_waiting: int) -> None:
        self._sessions: dict[tuple[str, str], deque[Call]] = {}
        self._ready: asyncio.Queue[Call] = asyncio.Queue()
        self._room = asyncio.Semaphore(most_waiting)

    async def put(self, call: Call) -> None:
        """Wait for room, then queue the call behind the earlier ones of its session."""
        await self._room.acquire()
        queue = self._sessions.get(call.session)
        if queue is None:
            self._sessions[call.session] = deque()
            self._ready.put_nowait(call)
        else:
            queue.append(call)

    async def take(self) -> Call:
        """The next call whose session has none under way."""
        return await self._ready.get()

    def done(self, call: Call) -> None:
        """The call is over: its session's next one may go."""
        queue = self._sessions[call.session]
        if queue:
            self._ready.put_nowait(queue.popleft())
        else:
            del self._sessions[call.session]
        self._ready.task_done()
        self._room.release()

    async def all_done(self) -> None:
        """Wait until every call that was put is done."""
        await self._ready.join()
