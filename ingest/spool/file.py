"""The far end of a spool: reads what its writer has stored, oldest first, and deletes what is in the log."""

from __future__ import annotations

import logging
import os
import sqlite3
import struct
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from ingest.event_log.base import EventLogError
from ingest.event_log.sqlite_file import SPAN, decode_headers, identity, open_file
from ingest.records import Headers
from ingest.spool.folders import RESERVE_NAME
from ingest.spool.holding import ROW_BYTES, Holding

_log = logging.getLogger(__name__)

RESERVE_BYTES: Final = 16 * 1024 * 1024
"""Room that deleting needs: of a disk that the spool has filled none would ever be given back without it."""

_T = TypeVar("_T")

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

    A second file beside it keeps room on the disk, to be given up when there is none left to work with; so is
    the one of the spool in the folder `spare`.

    Events come before attempts, each in the order of their appends. Methods raise SpoolUnavailable.
    """

    def __init__(self, path: Path, patience_seconds: float, spare: Path | None = None) -> None:
        self.path = path
        self.reserve = path.with_name(RESERVE_NAME)
        self._reserves = [self.reserve] if spare is None else [self.reserve, spare / RESERVE_NAME]
        self._patience_seconds = patience_seconds
        self._database: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def make(self) -> None:
        """Make the file where it is absent."""
        try:
            open_file(self.path, self._patience_seconds).close()
            self._identity = identity(self.path)
        except (sqlite3.Error, OSError, EventLogError) as error:
            raise SpoolUnavailable(f"the spool {self.path} can not be made: {error}") from error

    def read(self, max_records: int, max_bytes: int, after: int = -1) -> list[SpooledRecord]:
        """The oldest records behind the row `after`, at most `max_records`.

        The last of them is the one with which their values come to `max_bytes`, if there are so many.
        """
        records, unreadable = self._with_room(lambda: self._read(max_records, max_bytes, after))
        if unreadable:
            self.settle((), unreadable)
            return records or self.read(max_records, max_bytes, after)
        return records

    def _read(self, max_records: int, max_bytes: int, after: int) -> tuple[list[SpooledRecord], list[int]]:
        records: list[SpooledRecord] = []
        unreadable = []
        with self._opened() as database:
            rows = database.execute(
                "SELECT position, coalesce(name, ''), key, value, headers"
                " FROM records LEFT JOIN topics ON id = position / ?2"
                " WHERE position < ?1 AND position > ?4 ORDER BY position LIMIT ?3",
                (_ASIDE, SPAN, max_records, after),
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
        return records, unreadable

    def fill_reserve(self, min_free_bytes: int) -> str | None:
        """Keep room on the disk for the day when there is none; returns why there is none to keep, in words.

        At least `min_free_bytes` stay free beside it.
        """
        draft = self.reserve.with_suffix(".new")
        try:
            if self.reserve.exists():
                return None
            disk = os.statvfs(self.path.parent)
            if disk.f_bavail * disk.f_frsize < RESERVE_BYTES + min_free_bytes:
                return (
                    f"no reserve is kept in {self.path.parent}: {RESERVE_BYTES} bytes and "
                    f"ASLEEP_SPOOL_MIN_FREE_BYTES={min_free_bytes} are not free on its disk: make room"
                )
            with draft.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
            draft.replace(self.reserve)
        except OSError as error:
            # What was got before there was no more would be missing elsewhere.
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            return f"no reserve is kept in {self.path.parent}: {error}"
        return None

    def settle(self, in_the_log: Collection[int], refused: Collection[int]) -> None:
        """Delete the rows that are in the log now, and set aside those that it refused: both or neither."""
        self._with_room(lambda: self._settle(in_the_log, refused))

    def is_in_place(self) -> bool:
        """Whether the path still names the file that was made or opened; raises OSError."""
        return self._identity is not None and identity(self.path) == self._identity

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
        return self._with_room(self._restore)

    def _restore(self) -> int:
        with self._opened() as database:
            update = "UPDATE records SET position = position - ?1 WHERE position >= ?1"
            return database.execute(update, (_ASIDE,)).rowcount

    def holding(self) -> Holding:
        """What the file holds now; reads all of it but the bodies."""
        return self._with_room(self._holding)

    def _holding(self) -> Holding:
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
        return self._with_room(self._left)

    def _left(self) -> tuple[int | None, int]:
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

    def _with_room(self, work: Callable[[], _T]) -> _T:
        """Do the work; where the disk has no room for it, give up what was kept and do it again."""
        while True:
            try:
                return work()
            except SpoolUnavailable as error:
                if not _lacks_room(error.__cause__) or not self._give_up_a_reserve():
                    raise

    def _give_up_a_reserve(self) -> bool:
        for reserve in self._reserves:
            try:
                reserve.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                _log.error("the reserve %s can not be given up: %s", reserve, error)
                continue
            _log.warning("the disk of the spool %s is full: %s is given up", self.path, reserve)
            return True
        return False

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._database is None:
                # Nobody but its owner makes the file: one that is gone is a loss that must show.
                self.path.stat()
                self._database = open_file(self.path, self._patience_seconds)
                self._identity = self._identity or identity(self.path)
            yield self._database
        except (sqlite3.Error, OSError, EventLogError) as error:
            self.close()
            raise SpoolUnavailable(f"the spool {self.path} can not be used: {error}") from error


def _lacks_room(error: BaseException | None) -> bool:
    # A limit on the size of files shows as an error of the disk, no room beside a file as one of opening it.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
    }
