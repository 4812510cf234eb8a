"""One member of a consumer group, polling in a thread of its own, as a process of its own would."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from ingest.event_log import open_reader
from ingest.event_log.base import LogUnavailable, Partition
from ingest.records import Topic

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from ingest.event_log.base import LogRecord, Rebalanced
    from ingest.settings import Settings


class Member:
    """What it was given, what was taken from it and what it read, until it is told to leave."""

    def __init__(self, settings: Settings, on_revoked: Rebalanced | None = None) -> None:
        self.revoked: list[Partition] = []
        self.offsets: list[int] = []
        self.values: dict[tuple[str, int, int], bytes | None] = {}
        self.failure: Exception | None = None
        self.reader = open_reader(
            settings, [Topic.EVENTS], "group", self._assigned, on_revoked or self.revoked.extend
        )
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def leave(self) -> None:
        """Stop polling and leave the group."""
        self._leaving.set()
        self._thread.join()
        self.reader.close()

    def reads(self, count: int) -> bool:
        """Whether it has so many partitions now."""
        return len(self.reader.assignment()) == count

    def _assigned(self, partitions: Collection[Partition]) -> None:
        # Ask about what is new, as whoever resumes from files of its own does.
        assert self.reader.first_offsets(partitions).keys() == set(partitions)

    def _next(self) -> Iterable[Sequence[LogRecord]]:
        with suppress(LogUnavailable):
            return self.reader.poll(0.1, 1000).values()
        return ()

    def _poll(self) -> None:
        try:
            while not self._leaving.is_set():
                for records in self._next():
                    self.offsets.extend(record.offset for record in records)
                    self.values.update(
                        ((record.topic, record.partition, record.offset), record.value) for record in records
                    )
        except Exception as error:  # noqa: BLE001  for the test to look at
            self.failure = error
