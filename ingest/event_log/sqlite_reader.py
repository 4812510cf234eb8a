"""Reading the embedded log: one member of a group at a time reads everything, the others stand by."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Final, NamedTuple
from urllib.parse import quote

from ingest.event_log.base import LogUnavailable, Partition, Rebalanced
from ingest.event_log.sqlite_file import SPAN, decode_headers, identity, is_busy, open_file, path_of
from ingest.records import Headers
from ingest.settings import Settings

_PATIENCE_SECONDS: Final = 10.0
"""Longest wait for a lock of another process."""

_LOOK_SECONDS: Final = 0.02
"""How often an idle reader looks for new records."""

_POLL_BYTES: Final = 16 * 1024 * 1024
"""Bytes that one poll reads of a topic, but for its last record: memory has a bound whatever their size."""


class SqliteRecord(NamedTuple):
    """A consumed record; `timestamp` in milliseconds since 1970-01-01 UTC."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: Headers


class SqliteReader:
    """Reads the embedded log as one member of a group.

    A group has one active member, proven by a lock that ends with its process; whoever comes second gets its
    partitions in a later `poll`, once the first is gone. Methods raise LogUnavailable when the file fails.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Collection[str],
        group: str,
        on_assigned: Rebalanced,
        on_revoked: Rebalanced,  # noqa: ARG002  nothing is taken from an active member
    ) -> None:
        self._path = path_of(settings.log_url)
        self._topics = list(topics)
        self._group = group
        self._on_assigned = on_assigned
        self._positions: dict[Partition, int] = {}
        self._membership: sqlite3.Connection | None = None
        with self._unavailable():
            self._database = open_file(self._path, _PATIENCE_SECONDS)
            self._identity = identity(self._path)
            (self._log_id,) = self._database.execute("SELECT id FROM log").fetchone()

    @property
    def log_id(self) -> str:
        """The uuid that the log got when it was made: 32 hexadecimal digits."""
        found: str = self._log_id
        return found

    def poll(self, timeout_seconds: float, max_records: int) -> Mapping[Partition, Sequence[SqliteRecord]]:
        """The next records, waited for at most `timeout_seconds`; see EventLogReader."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            with self._unavailable():
                is_the_same = identity(self._path) == self._identity
            if not is_the_same:
                raise LogUnavailable(
                    f"the embedded log {self._path} was removed or replaced while it was read"
                )
            if self._membership is None:
                self._join()
            with self._unavailable():
                records = self._next_records(max_records)
            left = deadline - time.monotonic()
            if records or left <= 0:
                return records
            time.sleep(min(_LOOK_SECONDS, left))

    def assignment(self) -> Collection[Partition]:
        """All partitions for the active member, none for one that stands by."""
        return self._positions.keys()

    def seek(self, partition: Partition, offset: int) -> None:
        """Read this assigned partition from `offset` on; raises ValueError when it is not assigned."""
        if partition not in self._positions:
            raise ValueError(f"{partition} is not assigned to this reader")
        self._positions[partition] = offset

    def position(self, partition: Partition) -> int:
        """Where this assigned partition is read on: behind the last record given, or at the offset sought."""
        return self._positions[partition]

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        """Note how far the group is: where its next active member starts."""
        rows = [(self._group, partition.topic, offset) for partition, offset in next_offsets.items()]
        with self._unavailable():
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT OR REPLACE INTO commits VALUES (?, ?, ?)", rows)
            self._database.execute("COMMIT")

    def first_offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """The oldest offset still there, per partition (the end where it is empty)."""
        with self._unavailable():
            return {partition: self._first_offset(partition) for partition in partitions}

    def end_offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """One past the newest offset, per partition."""
        with self._unavailable():
            return {partition: self._end(partition.topic)[1] for partition in partitions}

    def partitions(self, topics: Collection[str]) -> list[Partition]:
        """Partition 0 of each topic that exists."""
        with self._unavailable():
            rows = self._database.execute("SELECT name FROM topics").fetchall()
        existing = {name for (name,) in rows}
        return [Partition(topic, 0) for topic in topics if topic in existing]

    def close(self) -> None:
        """Let another member of the group take over, and close the file."""
        if self._membership is not None:
            self._membership.close()
            self._membership = None
        self._positions = {}
        self._database.close()

    def _join(self) -> None:
        """Become the active member if there is none."""
        lock = self._path.with_name(f"{self._path.name}.{quote(self._group, safe='')}.lock")
        with self._unavailable():
            membership = sqlite3.connect(lock, timeout=0, isolation_level=None)
            try:
                membership.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                membership.close()
                if is_busy(error):
                    return
                raise
            self._membership = membership
            for topic in self._topics:
                partition = Partition(topic, 0)
                self._positions[partition] = self._start(partition)
        self._on_assigned(list(self._positions))

    def _start(self, partition: Partition) -> int:
        committed = self._database.execute(
            "SELECT next_offset FROM commits WHERE group_name = ? AND topic = ?",
            (self._group, partition.topic),
        ).fetchone()
        offset: int = committed[0] if committed else self._first_offset(partition)
        return offset

    def _next_records(self, max_records: int) -> dict[Partition, list[SqliteRecord]]:
        found: dict[Partition, list[SqliteRecord]] = {}
        for partition, position in list(self._positions.items()):
            records = self._read(partition, position, max_records)
            if records:
                found[partition] = records
                max_records -= len(records)
                # Last in line from now on, so that a busy topic does not starve the other.
                del self._positions[partition]
                self._positions[partition] = records[-1].offset + 1
            if not max_records:
                break
        return found

    def _read(self, partition: Partition, position: int, max_records: int) -> list[SqliteRecord]:
        topic_id, _ = self._end(partition.topic)
        base = topic_id * SPAN
        rows = self._database.execute(
            "SELECT position, timestamp, key, value, headers FROM records"
            " WHERE position >= ? AND position < ? ORDER BY position LIMIT ?",
            (base + position, base + SPAN, max_records),
        )
        records: list[SqliteRecord] = []
        room = _POLL_BYTES
        with closing(rows):
            for row_id, timestamp, key, value, headers in rows:
                decoded = decode_headers(headers)
                records.append(
                    SqliteRecord(partition.topic, 0, row_id - base, timestamp, key, value, decoded)
                )
                room -= len(value) + len(headers)
                if room <= 0:
                    break
        return records

    def _first_offset(self, partition: Partition) -> int:
        topic_id, end = self._end(partition.topic)
        base = topic_id * SPAN
        (first,) = self._database.execute(
            "SELECT min(position) FROM records WHERE position >= ? AND position < ?", (base, base + SPAN)
        ).fetchone()
        return end if first is None else first - base

    def _end(self, topic: str) -> tuple[int, int]:
        """Id and end offset of a topic; both 0, which no topic's id is, when it does not exist."""
        found: tuple[int, int] | None = self._database.execute(
            "SELECT id, next_offset FROM topics WHERE name = ?", (topic,)
        ).fetchone()
        return found or (0, 0)

    @contextmanager
    def _unavailable(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise LogUnavailable(f"the embedded log {self._path} can not be used: {error}") from error
