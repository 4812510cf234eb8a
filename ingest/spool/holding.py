"""What a spool holds, and whether it may take more: its bounds in bytes and in free disk."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Final

from ingest.event_log.base import EventLogError
from ingest.records import Headers, Topic
from ingest.spool.folders import count_spools

ROW_BYTES: Final = 64
"""What a record takes on disk beside its key, value and headers."""


class SpoolFull(EventLogError):
    """The spool has reached a bound; the text names the setting."""


def held_bytes(key: bytes | None, value: bytes, headers: Headers) -> int:
    """Bytes that a record counts for: key, value, headers as they are stored, and its row."""
    size = ROW_BYTES + 4 + len(value) + (0 if key is None else len(key))
    for name, content in headers:
        size += 8 + len(name) + len(content)
    return size


class Holding:
    """Records and bytes that a spool holds, in all and by topic."""

    def __init__(self) -> None:
        self.records = 0
        self.bytes = 0
        self._bytes_of: Counter[str] = Counter()

    def bytes_of(self, topic: str) -> int:
        """Bytes held of one topic."""
        return self._bytes_of[topic]

    def add(self, topic: str, size: int, records: int = 1) -> None:
        """Count records of `size` bytes in all."""
        self.records += records
        self.bytes += size
        self._bytes_of[topic] += size

    def remove(self, topic: str, size: int) -> None:
        """Count a record no more; never below nothing, since one that was given up may turn up after all."""
        self.records = max(0, self.records - 1)
        self.bytes = max(0, self.bytes - size)
        self._bytes_of[topic] = max(0, self._bytes_of[topic] - size)

    def become(self, other: Holding) -> None:
        """Count what `other` counts."""
        self.records, self.bytes, self._bytes_of = other.records, other.bytes, Counter(other._bytes_of)


class Bounds:
    """Whether a spool may take more. Attempts get half the room, so that strangers can not take it all.

    The spools of the dead count too, until they are drained and removed: the size of their files is shared
    out evenly among the living. So all spools below one folder never get beyond `max_bytes` for each of those
    that live, however often these die.
    """

    def __init__(self, max_bytes: int, min_free_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._disk_problem: str | None = None
        self._full_at: int | None = None
        self._of_the_dead = 0
        """Our share of what the dead have left, in bytes."""

    def look_at(self, folder: Path) -> None:
        """Note how much of the folder's disk is free, and what the dead have left there; raises OSError.

        May wait for the disk.
        """
        status = os.statvfs(folder)
        free = status.f_bavail * status.f_frsize
        self._disk_problem = (
            f"{free} bytes are free on the disk of {folder}, ASLEEP_SPOOL_MIN_FREE_BYTES is "
            f"{self._min_free_bytes}: make room"
            if free < self._min_free_bytes
            else None
        )
        living, of_the_dead = count_spools(folder)
        self._of_the_dead = of_the_dead // max(1, living)

    def problem(self, held: Holding) -> str | None:
        """Why no event is taken, in words, or None while there is room."""
        counted = held.bytes + self._of_the_dead
        is_full = self._full_at is not None and counted >= self._full_at
        if is_full or self._of_the_dead >= self._max_bytes:
            return f"the spool is full: {self._in_words(held)}"
        return self._disk_problem

    def check(self, held: Holding, topic: str, size: int) -> None:
        """Raise SpoolFull where a record of `size` bytes would be too much."""
        if self._disk_problem is not None:
            raise SpoolFull(self._disk_problem)
        room = self._max_bytes - self._of_the_dead
        if held.bytes + size > room:
            self._full_at = held.bytes + self._of_the_dead
            raise SpoolFull(f"no room on the spool: {self._in_words(held)}")
        self._full_at = None
        if topic == Topic.ATTEMPTS and held.bytes_of(topic) + size > room // 2:
            raise SpoolFull("no room on the spool: rejected calls may take half of ASLEEP_SPOOL_MAX_BYTES")

    def _in_words(self, held: Holding) -> str:
        dead = f", its share of the spools of the dead is {self._of_the_dead}" if self._of_the_dead else ""
        return f"it holds {held.bytes} bytes of ASLEEP_SPOOL_MAX_BYTES={self._max_bytes}{dead}"
