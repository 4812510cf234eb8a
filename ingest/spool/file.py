"""The far end of a spool: reads what its writer has stored, oldest first, and deletes what is in the log."""

from __future__ import annotations

import logging
import os
import sqlite3
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from ingest.event_log.base import EventLogError
from ingest.event_log.sqlite_file import SPAN, decode_headers, open_file
from ingest.records import Headers
from ingest.spool.folders import RESERVE_NAME
from ingest.spool.holding import ROW_BYTES, Holding

_log = logging.getLogger(__name__)

RESERVE_BYTES: Final = 16 * 1024 * 1024
"""Room that deleting needs: of a disk that the spool has filled none would ever be given back without it."""

_ASIDE: Final = 1 << 60
"""Added to the row id of a record that the log refused: it is then behind all others."""


class SpoolUnavailable(EventLogError):
    """The spool can not be used now; the text says which and why."""


class SpooledRecord(NamedTuple):
    """A record on the spool; `position` is its row."""

    position: int
    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


class SpoolFile:
    """The file behind a SqliteWriter, read and emptied from one thread, beside that writer or without it.

    A second file beside it keeps room on the disk, to be given up when there is none left to delete with.

    Events come before attempts, each in the order of their appends. Methods raise SpoolUnavailable.
    """

    def __init__(self, path: Path, patience_seconds: float) -> None:
        self.path = path
        self._reserve = path.with_name(RESERVE_NAME)
        self._patience_seconds = patience_seconds
        self._database: sqlite3.Connection | None = None

    def make(self) -> None:
        """Make the file where it is absent, with its reserve."""
        try:
            open_file(self.path, self._patience_seconds).close()
            self.fill_reserve()
        except (sqlite3.Error, OSError, EventLogError) as error:
            raise SpoolUnavailable(f"the spool {self.path} can not be made: {error}") from error

    def read(self, max_records: int, max_bytes: int) -> list[SpooledRecord]:
        """The oldest records, at most `max_records`, at most `max_bytes` of values but for the last."""
        records: list[SpooledRecord] = []
        unreadable = []
        with self._opened() as database:
            rows = database.execute(
                "SELECT position, coalesce(name, ''), key, value, headers"
                " FROM records LEFT JOIN topics ON id = position / ?2"
                " WHERE position < ?1 ORDER BY position LIMIT ?3",
                (_ASIDE, SPAN, max_records),
            )
            for position, topic, key, value, headers in rows:
                try:
                    records.append(SpooledRecord(position, topic, key, value, decode_headers(headers)))
                except (struct.error, UnicodeDecodeError) as error:
                    _log.error("row %d of the spool %s is unreadable: %s", position, self.path, error)
                    unreadable.append(position)
                max_bytes -= len(value)
                if max_bytes <= 0:
                    break
            rows.close()
        if unreadable:
            self.settle((), unreadable)
            return records or self.read(max_records, max_bytes)
        return records

    def fill_reserve(self) -> None:
        """Keep room on the disk for the day when there is none; raises OSError where there is not so much."""
        if self._reserve.exists():
            return
        draft = self._reserve.with_suffix(".new")
        with draft.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        draft.replace(self._reserve)

    def settle(self, in_the_log: Collection[int], refused: Collection[int]) -> None:
        """Delete the rows that are in the log now, and set aside those that it refused: both or neither."""
        try:
            self._settle(in_the_log, refused)
        except SpoolUnavailable as error:
            if not _is_full(error.__cause__) or not self._reserve.exists():
                raise
            _log.warning("the disk of the spool %s is full: its reserve is given up", self.path)
            self._reserve.unlink()
            self._settle(in_the_log, refused)

    def _settle(self, in_the_log: Collection[int], refused: Collection[int]) -> None:
        with self._opened() as database:
            database.execute("BEGIN IMMEDIATE")
            gone = [(position,) for position in in_the_log]
            database.executemany("DELETE FROM records WHERE position = ?", gone)
            aside = [(_ASIDE, position) for position in refused]
            database.executemany("UPDATE records SET position = position + ? WHERE position = ?", aside)
            database.execute("COMMIT")

    def restore(self) -> int:
        """Put what was set aside back in its place, and say how many records that are."""
        with self._opened() as database:
            update = "UPDATE records SET position = position - ?1 WHERE position >= ?1"
            return database.execute(update, (_ASIDE,)).rowcount

    def holding(self) -> Holding:
        """What the file holds now; reads all of it but the bodies."""
        found = Holding()
        with self._opened() as database:
            rows = database.execute(
                "SELECT coalesce(name, ''), count(*),"
                " sum(?3 + length(value) + length(headers) + ifnull(length(key), 0))"
                " FROM records LEFT JOIN topics ON id = position % ?1 / ?2 GROUP BY 1",
                (_ASIDE, SPAN, ROW_BYTES),
            ).fetchall()
            for topic, records, size in rows:
                found.add(topic, size, records)
        return found

    def left(self) -> tuple[int | None, int]:
        """When the oldest record came, in ms since 1970 (None: there is none), and how many are set aside."""
        with self._opened() as database:
            oldest = database.execute("SELECT timestamp FROM records ORDER BY position LIMIT 1").fetchone()
            (aside,) = database.execute(
                "SELECT count(*) FROM records WHERE position >= ?", (_ASIDE,)
            ).fetchone()
        return (oldest[0] if oldest else None), aside

    def assert_empty(self) -> None:
        """Raise SpoolUnavailable where there is a record left, set aside or not."""
        if self.left()[0] is not None:
            raise SpoolUnavailable(f"the spool {self.path} is not empty")

    def shrink(self) -> None:
        """Give the space of an emptied file back to the disk."""
        with self._opened() as database:
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Close the file; the next call of a method opens it again."""
        if self._database is not None:
            self._database.close()
            self._database = None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._database is None:
                # Nobody but its owner makes the file: one that is gone is a loss that must show.
                self.path.stat()
                self._database = open_file(self.path, self._patience_seconds)
            yield self._database
        except (sqlite3.Error, OSError, EventLogError) as error:
            self.close()
            raise SpoolUnavailable(f"the spool {self.path} can not be used: {error}") from error


def _is_full(error: BaseException | None) -> bool:
    # A limit on the size of files shows as an error of the disk.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
