"""An event log in memory whose acknowledgements a test can hold back or refuse."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from ingest.event_log.base import EventLogError, Position
from ingest.records import Headers, Topic


class MemoryRecord(NamedTuple):
    """One appended record; `headers` as a dict, since the receiver writes no name twice."""

    topic: str
    key: bytes | None
    value: bytes
    headers: dict[str, bytes]


@dataclass
class MemoryLog:
    """An EventLogWriter: acknowledges at once, unless `failure` is set or `holding` is true."""

    records: list[MemoryRecord] = field(default_factory=list)
    failure: EventLogError | None = None
    holding: bool = False
    trouble: str | None = None
    started: bool = False
    closed: bool = False
    _held: list[tuple[asyncio.Future[Position], Position]] = field(default_factory=list)

    def start(self) -> None:
        self.started = True

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> asyncio.Future[Position]:
        acknowledgement: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        if self.failure is not None:
            acknowledgement.set_exception(self.failure)
            return acknowledgement
        names = [name for name, _ in headers]
        assert len(names) == len(set(names)), f"a record header is written twice: {names}"
        self.records.append(MemoryRecord(topic, key, value, dict(headers)))
        position = Position(topic, 0, len(self.records) - 1)
        if self.holding:
            self._held.append((acknowledgement, position))
        else:
            acknowledgement.set_result(position)
        return acknowledgement

    def release(self) -> None:
        """Acknowledge everything that is held back, and what follows."""
        self.holding = False
        for acknowledgement, position in self._held:
            acknowledgement.set_result(position)
        self._held.clear()

    def problem(self) -> str | None:
        return self.trouble

    async def close(self) -> None:
        self.closed = True

    @property
    def events(self) -> list[MemoryRecord]:
        """The records of accepted calls."""
        return [record for record in self.records if record.topic == Topic.EVENTS]

    @property
    def attempts(self) -> list[MemoryRecord]:
        """The records of refused calls."""
        return [record for record in self.records if record.topic == Topic.ATTEMPTS]
