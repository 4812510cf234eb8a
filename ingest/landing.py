"""One membership in the group of landers: from assignment, through batches and files, to the commit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from ingest.batch_files import BatchFiles
from ingest.batches import Batch, Close, Limits
from ingest.beginnings import Beginnings
from ingest.event_log.base import (
    EventLogReader,
    LogRecord,
    LogUnavailable,
    Partition,
    Rebalanced,
    UnreadableRecord,
)
from ingest.lander_metrics import LanderMetrics
from ingest.positions import Positions
from ingest.raw_files import RawFiles
from ingest.raw_store.base import RawStore
from ingest.settings import Settings
from ingest.telemetry import log_event

_POLL_SECONDS: Final = 0.5
_POLL_RECORDS: Final = 2_000

_logger = logging.getLogger(__name__)

Connect = Callable[[Rebalanced, Rebalanced], EventLogReader]
"""Opens a reader that calls these two back: partitions assigned, partitions revoked."""


class Landing:
    """Lands `topics` from connecting to the log until the first failure, or until it is closed.

    What it holds in memory is also in the log: after a failure the next one begins where the files end.
    `progressed_at` is when `has_reached` last saw progress, by the monotonic clock.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Collection[str],
        connect: Connect,
        store: RawStore,
        metrics: LanderMetrics,
    ) -> None:
        self.progressed_at = time.monotonic()
        self._topics = topics
        self._max_age_seconds = settings.land_max_age_seconds
        self._limits = Limits(settings.land_max_rows, settings.land_max_bytes)
        self._most_bytes = settings.land_max_bytes * 3 // 4  # of all batches: then the largest is closed
        self._metrics = metrics
        self._batches: dict[Partition, Batch] = {}
        self._reached: dict[Partition, int] = {}
        self._reader = connect(self._assigned, self._revoked)
        self._raw = RawFiles(store, self._reader.log_id)
        self._positions = Positions(self._raw, self._reader, metrics.lost)
        self._beginnings = Beginnings(self._positions)
        self._files = BatchFiles(self._raw, self._reader, metrics)

    def close(self) -> None:
        """Leave the group; what is not landed is forgotten, to be read again."""
        self._reader.close()

    def sweep(self) -> None:
        """Remove what dead landers left unfinished."""
        for path in self._raw.sweep(self._topics):
            log_event(_logger, logging.INFO, "removed an unfinished file", path=path)

    def ends(self) -> dict[Partition, int]:
        """One past the newest offset that the log holds now, per partition; raises LogRecreated."""
        return self._positions.ends(self._topics)

    @property
    def batches(self) -> Mapping[Partition, Batch]:
        """What of each assigned partition is in memory only."""
        return self._batches

    @property
    def waiting(self) -> Mapping[Partition, str]:
        """Why the log could not say where to begin, by assigned partition that is not read for that."""
        return self._beginnings.waiting

    def has_reached(self, ends: Mapping[Partition, int]) -> bool:
        """Whether all before these offsets is read, or landed by others."""
        reached = {
            source: batch.next_offset
            if (batch := self._batches.get(source)) is not None
            else self._raw.next_offset(source)
            for source in ends
        }
        if reached != self._reached:
            self._reached = reached
            self.progressed_at = time.monotonic()
        return all(reached[source] >= end for source, end in ends.items())

    def turn(self) -> None:
        """Poll once, and land what is due; raises LogUnavailable, LogRecreated, OSError."""
        try:
            polled = self._reader.poll(self._patience(), _POLL_RECORDS)
            broken = None
        except UnreadableRecord as error:
            polled, broken = {}, error
        except LogUnavailable:
            self._land_batches(Close.LOG_UNAVAILABLE)
            raise
        begun = self._begin_assigned()
        for source, records in polled.items():
            if source in self._batches and source not in begun:
                self._take(source, records)
                self._bound_memory()
        for source in self._batches.keys() - {*polled, *begun}:
            self._take_absence(source)
        if broken is not None and broken.partition in self._batches and broken.partition not in begun:
            self._take_unreadable(broken)
        self._land_batches(Close.AGE, opened_before=time.monotonic() - self._max_age_seconds)
        self._files.commit()

    def land_reached(self, ends: Mapping[Partition, int]) -> None:
        """Land what holds the last records before these offsets: another lander may wait for it."""
        for source, batch in list(self._batches.items()):
            if batch.first_offset < ends.get(source, 0) <= batch.next_offset:
                self._land(batch, Close.END)

    def land_all(self) -> None:
        """Land and commit what was read."""
        self._land_batches(Close.END)
        self._files.commit()

    def _assigned(self, partitions: Collection[Partition]) -> None:
        # Nothing may wait inside a rebalance: a partition is given its position once poll has returned.
        self._beginnings.add([Partition(*partition) for partition in partitions])
        self._metrics.rebalanced("assigned", partitions)

    def _revoked(self, partitions: Collection[Partition]) -> None:
        # The next owner may have begun already: to land now would be a race for the same offsets, whereas
        # to drop the records costs one more read of them.
        for partition in partitions:
            source = Partition(*partition)
            self._beginnings.forget(source)
            self._batches.pop(source, None)
            self._files.forget(source)
        self._metrics.rebalanced("revoked", partitions)

    def _begin_assigned(self) -> Collection[Partition]:
        """Begin newly assigned partitions where their files end; what was polled of them before is void."""
        begun = self._beginnings.begin()
        for source in self._beginnings.waiting:
            self._batches.pop(source, None)
        for source, offset in begun.items():
            self._begin(source, offset)
        return begun

    def _begin(self, source: Partition, offset: int) -> None:
        self._batches[source] = Batch(self._raw.log_id, source, offset, self._limits)

    def _take(self, source: Partition, records: Sequence[LogRecord]) -> None:
        at, goes_on = 0, True
        if records and records[0].offset < self._batches[source].next_offset:
            self._cross(self._batches[source], records[0].offset)
        while goes_on and at < len(records):
            batch = self._batches[source]
            at, full = batch.take(records, at)
            if full is not None:
                goes_on = self._land(batch, full)
            elif at < len(records) and records[at].offset > batch.next_offset:
                goes_on = self._cross(batch, records[at].offset)

    def _take_absence(self, source: Partition) -> None:
        """Account for offsets that the reader went past, up to the end of the log, without a record."""
        position = self._reader.position(source)
        if position is not None and position != self._batches[source].next_offset:
            self._cross(self._batches[source], position)

    def _cross(self, batch: Batch, found: int) -> bool:
        """Get over a hole before the offset `found`; whether to go on with the records at hand."""
        hole = self._positions.judge(batch.source, batch.next_offset, found)
        if hole is None:
            return False
        if not hole.lost:
            batch.skip_to(hole.end)
            return True
        if not self._land(batch, Close.GAP):
            return False
        lost_from = self._batches[batch.source].first_offset
        self._begin(batch.source, self._positions.after_gap(batch.source, lost_from, hole.end))
        return True

    def _take_unreadable(self, broken: UnreadableRecord) -> None:
        """Let a row that holds nothing but the fault stand for each record, and read on behind them."""
        first = max(broken.offset, self._batches[broken.partition].next_offset)
        if first <= broken.last_offset:
            log_event(_logger, logging.ERROR, "landed a row without its record", error=str(broken))
        for offset in range(first, broken.last_offset + 1):
            batch = self._batches[broken.partition]
            full = batch.take_unreadable(offset, broken.fault(offset))
            self._metrics.unreadable(batch.source)
            if full is not None and not self._land(batch, full):
                return
        self._reader.seek(broken.partition, self._batches[broken.partition].next_offset)

    def _land_batches(self, why: Close, opened_before: float = float("inf")) -> None:
        for batch in list(self._batches.values()):
            if batch.opened_at <= opened_before:
                self._land(batch, why)

    def _land(self, batch: Batch, why: Close) -> bool:
        """Land the batch, unless it is empty, and begin the next; False where another lander came first."""
        if batch.is_empty:
            return True
        if not self._files.land(batch, why):
            del self._batches[batch.source]
            self._beginnings.add([batch.source])
            return False
        self._begin(batch.source, batch.next_offset)
        return True

    def _bound_memory(self) -> None:
        while sum(batch.memory_bytes for batch in self._batches.values()) > self._most_bytes:
            self._land(max(self._batches.values(), key=lambda batch: batch.memory_bytes), Close.MEMORY)

    def _patience(self) -> float:
        """Seconds until a file gets too old, but no longer than it may take to notice a stop."""
        opened = (batch.opened_at for batch in self._batches.values() if not batch.is_empty)
        left = min(opened, default=float("inf")) + self._max_age_seconds - time.monotonic()
        return max(0.0, min(left, _POLL_SECONDS))
