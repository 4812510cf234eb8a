"""A readable event log in memory: tests append, drop, rebalance and break it as they like."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ingest.event_log.base import LogUnavailable, Partition, Rebalanced
from ingest.records import Header, Topic

NOON_US = 1_769_688_000_000_000
"""2026-01-29 12:00 UTC, in microseconds."""

EVENTS = Partition(Topic.EVENTS.value, 0)


class MemoryRecord(NamedTuple):
    """A record as a reader gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, Any]]


def our_headers(number: int, received_us: int = NOON_US) -> list[tuple[str, bytes]]:
    """Headers as the receiver writes them."""
    return [
        (Header.RECEIPT_ID.value, f"receipt-{number}".encode()),
        (Header.RECEIVED_AT.value, str(received_us).encode()),
        (Header.USER_ID.value, b"user"),
        (Header.PATH.value, b"/webhook"),
    ]


@dataclass
class ReadableLog:
    """The log itself: records per partition, and how many of them retention has dropped."""

    log_id: str = "memory"
    records: dict[Partition, list[MemoryRecord]] = field(default_factory=dict)
    ends: dict[Partition, int] = field(default_factory=dict)
    committed: dict[Partition, int] = field(default_factory=dict)
    unavailable: bool = False
    reader: type[MemoryReader] | None = None
    opened: list[MemoryReader] = field(default_factory=list)
    readers: list[MemoryReader] = field(default_factory=list)
    """Those that have polled: who only looks on is none of the group."""

    def append(
        self,
        count: int = 1,
        source: Partition = EVENTS,
        *,
        received_us: int = NOON_US,
        appended_us: int | None = None,
        value: bytes | None = b"{}",
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> None:
        """Append so many records, ours unless told otherwise."""
        for _ in range(count):
            offset = self.ends.get(source, 0)
            appended = received_us if appended_us is None else appended_us
            given = our_headers(offset, received_us) if headers is None else headers
            record = MemoryRecord(*source, offset, appended // 1000, None, value, given)
            self.records.setdefault(source, []).append(record)
            self.ends[source] = offset + 1

    def skip(self, count: int, source: Partition = EVENTS) -> None:
        """Use up offsets without a record, as a marker of a transaction does."""
        self.ends[source] = self.ends.get(source, 0) + count
        self.records.setdefault(source, [])

    def drop_before(self, offset: int, source: Partition = EVENTS) -> None:
        """Let retention drop the oldest records."""
        self.records[source] = [record for record in self.records[source] if record.offset >= offset]

    def first(self, source: Partition) -> int:
        """The oldest offset still there."""
        return self.records[source][0].offset if self.records[source] else self.ends[source]

    def connect(self, on_assigned: Rebalanced, on_revoked: Rebalanced) -> MemoryReader:
        """Open a reader; all partitions are assigned to it by its first poll."""
        self.check()
        self.opened.append((self.reader or MemoryReader)(self, on_assigned, on_revoked))
        return self.opened[-1]

    def check(self) -> None:
        if self.unavailable:
            raise LogUnavailable("the log in memory is away")


class MemoryReader:
    """An EventLogReader of a ReadableLog; the next poll assigns and revokes what is pending."""

    def __init__(self, log: ReadableLog, on_assigned: Rebalanced, on_revoked: Rebalanced) -> None:
        self.log = log
        self.closed = False
        self.polls = 0
        self.pending_assign: set[Partition] | None = None
        self.pending_revoke: set[Partition] = set()
        self._positions: dict[Partition, int] = {}
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked

    @property
    def log_id(self) -> str:
        return self.log.log_id

    def poll(self, timeout_seconds: float, max_records: int) -> Mapping[Partition, Sequence[MemoryRecord]]:
        assert timeout_seconds >= 0
        if not self.polls:
            self.log.readers.append(self)
        self.polls += 1
        self.log.check()
        if self.pending_revoke:
            revoked, self.pending_revoke = self.pending_revoke, set()
            for source in revoked:
                self._positions.pop(source, None)
            self._on_revoked(revoked)
        if self.pending_assign is None:
            self.pending_assign = set(self.log.ends)
        if self.pending_assign:
            assigned, self.pending_assign = self.pending_assign, set()
            self._positions.update({source: self.log.committed.get(source, 0) for source in assigned})
            self._on_assigned(assigned)
        return self._read(max_records)

    def _read(self, max_records: int) -> Mapping[Partition, Sequence[MemoryRecord]]:
        polled: dict[Partition, Sequence[MemoryRecord]] = {}
        for source, position in self._positions.items():
            left = max_records - sum(map(len, polled.values()))
            records = [record for record in self.log.records[source] if record.offset >= position][:left]
            if records:
                polled[source] = records
                self._positions[source] = records[-1].offset + 1
            elif left > 0:
                self._positions[source] = max(position, self.log.ends[source])
        return polled

    def assignment(self) -> Collection[Partition]:
        return set(self._positions)

    def seek(self, partition: Partition, offset: int) -> None:
        assert partition in self._positions, f"{partition} is not assigned"
        self._positions[partition] = offset

    def position(self, partition: Partition) -> int:
        return self._positions[partition]

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        self.log.check()
        self.log.committed.update(next_offsets)

    def first_offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        self.log.check()
        return {source: self.log.first(source) for source in partitions}

    def end_offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        self.log.check()
        return {source: self.log.ends[source] for source in partitions}

    def partitions(self, topics: Collection[str]) -> list[Partition]:
        return sorted(source for source in self.log.ends if source.topic in topics)

    def close(self) -> None:
        self.closed = True
