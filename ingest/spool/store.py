"""The near end of a process's own spool: takes records within the bounds, and says when they are durable."""

from __future__ import annotations

from ingest.event_log.base import AppendTimeout, EventLogError
from ingest.event_log.sqlite_writer import SqliteWriter
from ingest.records import Headers
from ingest.settings import Settings
from ingest.spool.holding import Bounds, Holding, held_bytes


class SpoolStore:
    """Appends to the spool's file at `url` through the embedded log's writer: one fsync for many records.

    `appended` counts what is durable, `in_flight` what is on its way.
    """

    def __init__(self, settings: Settings, url: str, holding: Holding, bounds: Bounds) -> None:
        self._writer = SqliteWriter(settings.model_copy(update={"event_log_url": url}))
        self._holding = holding
        self._bounds = bounds
        self.appended = 0
        self.in_flight = 0

    def start(self) -> None:
        """Prove in the background that the file takes a write."""
        self._writer.start()

    async def append(self, topic: str, key: bytes | None, value: bytes, headers: Headers) -> None:
        """Return once the record is durable; raises SpoolFull at once, or what the writer raises."""
        size = held_bytes(key, value, headers)
        self._bounds.check(self._holding, topic, size)
        self._holding.add(topic, size)
        self.in_flight += 1
        try:
            await self._writer.append(topic, key, value, headers)
            self.appended += 1
        except AppendTimeout:
            # It may be stored all the same: it counts until the spool is seen empty.
            raise
        except EventLogError:
            self._holding.remove(topic, size)
            raise
        finally:
            self.in_flight -= 1

    def problem(self) -> str | None:
        """Why an event would not be taken now, in words, or None."""
        return self._writer.problem() or self._bounds.problem(self._holding)

    async def close(self) -> None:
        """Wait for the appends in flight, then close the file."""
        await self._writer.close()
