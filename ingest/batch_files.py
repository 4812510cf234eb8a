"""Makes batches files: says so in the log and in numbers, and tells the group how far that is."""

from __future__ import annotations

import logging
import time
from typing import Final

from ingest.batches import Batch, Close
from ingest.event_log.base import EventLogError, EventLogReader, Partition
from ingest.lander_metrics import LanderMetrics
from ingest.raw_files import AlreadyLanded, RawFiles
from ingest.telemetry import log_event

_logger: Final = logging.getLogger(__name__)


class BatchFiles:
    """Lands batches, and remembers up to where until the group is told."""

    def __init__(self, raw: RawFiles, reader: EventLogReader, metrics: LanderMetrics) -> None:
        self._raw = raw
        self._reader = reader
        self._metrics = metrics
        self._uncommitted: dict[Partition, int] = {}

    def land(self, batch: Batch, why: Close) -> bool:
        """Make a batch that is not empty a file; False where another lander came first. Raises OSError."""
        started = time.monotonic()
        try:
            landed, size_bytes = self._raw.land(batch)
        except AlreadyLanded as error:
            log_event(_logger, logging.WARNING, "another lander came first", error=str(error))
            self._metrics.overtaken(batch.source)
            return False
        self._uncommitted[batch.source] = batch.next_offset
        seconds = time.monotonic() - started
        self._metrics.landed(landed, batch, why, size_bytes, seconds)
        log_event(
            _logger,
            logging.INFO,
            "landed a file",
            range=landed.label,
            rows=batch.rows,
            bytes=size_bytes,
            seconds=round(seconds, 3),
            because=why,
        )
        return True

    def forget(self, source: Partition) -> None:
        """Leave it to the next owner of this partition to tell the group."""
        self._uncommitted.pop(source, None)

    def commit(self) -> None:
        """Tell the group; that it does not hear it changes nothing, for the files tell where to go on."""
        committed, self._uncommitted = self._uncommitted, {}
        if committed:
            try:
                self._reader.commit(committed)
            except EventLogError as error:
                log_event(_logger, logging.WARNING, "landed, but not committed", error=repr(error))
                self._metrics.not_committed()
