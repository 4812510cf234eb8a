"""The seam between our processes and whatever keeps the records: what a writer and a reader promise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from ingest.records import Headers


class EventLogError(Exception):
    """Root of the errors an event log raises."""


class AppendFailed(EventLogError):
    """The record is not acknowledged; it may or may not be in the log."""


class AppendTimeout(AppendFailed):
    """No acknowledgement within the append time-out."""


class RecordRefused(AppendFailed):
    """The log does not take this record, whenever it is asked; it takes others as before."""


class Partition(NamedTuple):
    """One ordered sequence of records."""

    topic: str
    partition: int


class LogUnavailable(EventLogError):
    """The log can not be reached or opened now; trying again later may help.

    `partitions` are those of the question for which there was no answer; empty where nothing tells them.
    """

    def __init__(self, problem: str, partitions: Collection[Partition] = ()) -> None:
        super().__init__(problem)
        self.partitions = frozenset(partitions)


class UnreadableRecord(EventLogError):
    """Records that can not be decoded, from `offset` to `last_offset`, both included: mostly one.

    Their partition stops there until its reader seeks past them.
    """

    def __init__(
        self, partition: Partition, offset: int, reason: Exception, last_offset: int | None = None
    ) -> None:
        self.partition = partition
        self.offset = offset
        self.last_offset = offset if last_offset is None else last_offset
        self.reason = reason
        super().__init__(
            self.fault(f"{offset}" if last_offset in {None, offset} else f"{offset}..{last_offset}")
        )

    def fault(self, offset: int | str) -> str:
        """What is wrong, in words, as of one of the offsets."""
        return (
            f"{self.partition.topic}-{self.partition.partition} can not be read at offset {offset}: "
            f"{type(self.reason).__name__}: {self.reason}"
        )


class Position(NamedTuple):
    """Where an acknowledged record is."""

    topic: str
    partition: int
    offset: int


class LogRecord(Protocol):
    """A consumed record; kafka-python's ConsumerRecord has this shape as it is."""

    @property
    def topic(self) -> str:
        """Name of its topic."""
        ...

    @property
    def partition(self) -> int:
        """Number of its partition."""
        ...

    @property
    def offset(self) -> int:
        """Its place in the partition, counted from 0."""
        ...

    @property
    def timestamp(self) -> int:
        """When the log took the record: milliseconds since 1970-01-01 UTC."""
        ...

    @property
    def key(self) -> bytes | None:
        """What it was keyed by."""
        ...

    @property
    def value(self) -> bytes | None:
        """The record itself; only foreign producers write None."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Names and values, in order; a name may come more than once."""
        ...


class EventLogWriter(Protocol):
    """Appends records; lives on one asyncio event loop, which it never blocks."""

    def start(self) -> None:
        """Begin to connect, in the background, on the running loop; create absent topics. Never blocks."""
        ...

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> asyncio.Future[Position]:
        """Append one record; the future is done once the record is durable.

        It ends with AppendFailed when there is no acknowledgement: AppendTimeout past the append time-out,
        RecordRefused where nothing but the record itself is at fault.
        Records of one key are appended in the order of the calls.
        """
        ...

    def problem(self) -> str | None:
        """Why appends would fail now, in words, or None while the log is well. Never blocks."""
        ...

    async def close(self) -> None:
        """Wait for the appends in flight (bounded by the append time-out), then let go of everything."""
        ...


class EventLogReader(Protocol):
    """Reads records as one member of a consumer group; used from one thread."""

    @property
    def log_id(self) -> str:
        """Identity of the log itself (letters, digits, `_`, `-`): offsets of two logs never mix."""
        ...

    def poll(self, timeout_seconds: float, max_records: int) -> Mapping[Partition, Sequence[LogRecord]]:
        """The next records of each assigned partition, in order, at most `max_records` in all."""
        ...

    def assignment(self) -> Collection[Partition]:
        """The partitions that this member reads now."""
        ...

    def seek(self, partition: Partition, offset: int) -> None:
        """Read this assigned partition from `offset` on."""
        ...

    def position(self, partition: Partition) -> int | None:
        """Where this assigned partition is read on; None while that is not known.

        All before it was given by `poll`, or passed over by `seek`, or is no longer in the log, or never was
        a record, as the markers of transactions: only `poll` moves on over these.
        """
        ...

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        """Tell the group how far we are: a hint, never the truth; raises LogUnavailable if it can not."""
        ...

    def first_offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """The oldest offset the log still has, per partition (equal to the end where it is empty)."""
        ...

    def end_offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """One past the newest acknowledged offset, per partition."""
        ...

    def partitions(self, topics: Collection[str]) -> list[Partition]:
        """All partitions of these topics; a topic that does not exist has none."""
        ...

    def close(self) -> None:
        """Leave the group and let go of everything."""
        ...


Rebalanced = Callable[[Collection[Partition]], None]
"""Called inside `poll` with the partitions that were just assigned, or just taken away."""
