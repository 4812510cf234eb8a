"""The records of one partition that will be one file: when it is full, and what date it is of."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Final, NamedTuple

import pyarrow as pa

from ingest.columns import LATEST_US, OpenColumns, received_at_us
from ingest.event_log.base import LogRecord, Partition
from ingest.landed_files import LandedRange
from ingest.parquet_files import SCHEMA
from ingest.records import Header

_SEAL_ROWS: Final = 1024
_SEAL_BYTES: Final = 8 * 1024 * 1024
_DAY_US: Final = 86_400_000_000


class Close(StrEnum):
    """Why a file was closed."""

    ROWS = "rows"
    BYTES = "bytes"
    AGE = "age"
    DATE = "date"
    MEMORY = "memory"
    GAP = "gap"
    END = "end"
    LOG_UNAVAILABLE = "log unavailable"


@dataclass(frozen=True, slots=True)
class Limits:
    """At how many rows, and bytes of values, a file is full."""

    rows: int
    bytes: int


class Batch:
    """Consecutive offsets of one partition, from the first one wanted, in memory until they are a file.

    The batch is of the UTC date on which its first record was received, by the earlier of two clocks: the
    receiver's (received_at) and the log's, so that one clock running ahead moves nothing. A record that is
    of a newer date by both clocks begins the next batch; one of an older date stays where it is. So records
    of two receivers may alternate between two dates around midnight and still make one file of each.
    """

    def __init__(self, log_id: str, source: Partition, first_offset: int, limits: Limits) -> None:
        self.source = source
        self.first_offset = first_offset
        self.next_offset = first_offset
        self.rows = 0
        self.value_bytes = 0
        self.opened_at = 0.0
        self.oldest_ms: int | None = None
        self._log_id = log_id
        self._limits = limits
        self._received_us = 0
        self._newer_from_ms = -(2**63)
        self._open = OpenColumns()
        self._sealed: list[pa.RecordBatch] = []
        self._sealed_bytes = 0

    @property
    def is_empty(self) -> bool:
        """Whether it accounts for no offset; one that does may still have no row."""
        return self.next_offset == self.first_offset

    @property
    def memory_bytes(self) -> int:
        """About how much memory the rows take."""
        return self._sealed_bytes + self._open.size_bytes

    @property
    def range(self) -> LandedRange:
        """The range of offsets that this batch accounts for; without a row it is of the present date."""
        received_us = self._received_us if self.rows else time.time_ns() // 1000
        received_date = datetime.fromtimestamp(received_us // 1_000_000, UTC).date()
        topic, partition = self.source
        return LandedRange(
            self._log_id, topic, partition, self.first_offset, self.next_offset - 1, received_date
        )

    def take(self, records: Sequence[LogRecord], start: int) -> tuple[int, Close | None]:
        """Take the records from index `start` on; the index of the first one not taken, and why if full.

        Offsets that were taken before are dropped. Where the batch is not full and the next record left is
        beyond the offset wanted, there is a hole, for the caller to judge.
        """
        while start < len(records) and records[start].offset < self.next_offset:
            start += 1
        run, full = self._run(records, start)
        self._open.extend(run)
        self.next_offset += len(run)
        self.rows += len(run)
        if self._open.rows >= _SEAL_ROWS or self._open.size_bytes >= _SEAL_BYTES:
            self._seal()
        return start + len(run), full

    def _run(self, records: Sequence[LogRecord], start: int) -> tuple[Sequence[LogRecord], Close | None]:
        """The records from `start` on that belong into this batch, counting their values; and why no more."""
        wanted = self.next_offset
        rows_left = self._limits.rows - self.rows
        full = None
        stop = start
        for record in islice(records, start, start + rows_left):
            if record.offset != wanted:
                break
            if record.timestamp >= self._newer_from_ms:
                if stop > start or self.rows:
                    if _received_us(record) >= self._newer_from_ms * 1000:
                        full = Close.DATE
                        break
                else:
                    self._begin(record)
            stop += 1
            wanted += 1
            value = record.value
            if value is not None:
                self.value_bytes += len(value)
                if self.value_bytes >= self._limits.bytes:
                    full = Close.BYTES
                    break
        if stop - start == rows_left:
            full = Close.ROWS
        return records[start:stop], full

    def take_unreadable(self, offset: int, fault: str) -> Close | None:
        """Take a row that holds nothing but a fault, for the record that the log can not give; why if full.

        Offsets before it of which there is no record are accounted for.
        """
        record = _Unreadable(offset, time.time_ns() // 1_000_000)
        if not self.rows:
            self._begin(record)
        self._open.add(record)
        self._open.complain(fault)
        self.next_offset = offset + 1
        self.rows += 1
        return Close.ROWS if self.rows >= self._limits.rows else None

    def skip_to(self, offset: int) -> None:
        """Account for offsets at which the log has no record: the next one wanted is `offset`."""
        if self.is_empty:
            self.opened_at = time.monotonic()
        self.next_offset = offset

    def table(self) -> pa.Table:
        """All rows as a table of SCHEMA."""
        self._seal()
        return pa.Table.from_batches(self._sealed, SCHEMA)

    def _seal(self) -> None:
        if self._open.rows:
            sealed = self._open.seal(self._log_id, self.source)
            self._sealed.append(sealed)
            self._sealed_bytes += sealed.nbytes
            self._open = OpenColumns()

    def _begin(self, first: LogRecord) -> None:
        self.opened_at = time.monotonic()
        self.oldest_ms = first.timestamp
        self._received_us = _received_us(first)
        self._newer_from_ms = (self._received_us // _DAY_US + 1) * _DAY_US // 1000


class _Unreadable(NamedTuple):
    """Stands for a record that the log can not give; `timestamp` is the present."""

    offset: int
    timestamp: int
    topic: str = ""
    partition: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


def _received_us(record: LogRecord) -> int:
    """When the record was received by the earlier clock; 1970 where neither clock tells a moment."""
    headers = dict(reversed(record.headers))
    received = received_at_us(headers.get(Header.RECEIVED_AT))
    appended = record.timestamp * 1000
    if not 0 <= appended <= LATEST_US:
        return received or 0
    return appended if received is None else min(received, appended)
