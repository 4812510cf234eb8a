"""What a spool holds, and whether it may take more: its bounds in bytes and in free disk."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Final

from ingest.event_log.base import EventLogError
from ingest.records import Headers, Topic

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

    def clear(self) -> None:
        """Count from nothing again."""
        self.records = self.bytes = 0
        self._bytes_of.clear()


class Bounds:
    """Whether a spool may take more. Attempts get half the room, so that strangers can not take it all."""

    def __init__(self, max_bytes: int, min_free_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._disk_problem: str | None = None
        self._full_at: int | None = None

    def look_at(self, folder: Path) -> None:
        """Note how much of the folder's disk is free; raises OSError. May wait for the disk."""
        status = os.statvfs(folder)
        free = status.f_bavail * status.f_frsize
        self._disk_problem = (
            f"{free} bytes are free on the disk of {folder}, ASLEEP_SPOOL_MIN_FREE_BYTES is "
            f"{self._min_free_bytes}: make room"
            if free < self._min_free_bytes
            else None
        )

    def problem(self, held: Holding) -> str | None:
        """Why no event is taken, in words, or None while there is room."""
        if self._full_at is not None and held.bytes >= self._full_at:
            return (
                f"the spool is full: it holds {held.bytes} bytes of ASLEEP_SPOOL_MAX_BYTES={self._max_bytes}"
            )
        return self._disk_problem

    def check(self, held: Holding, topic: str, size: int) -> None:
        """Raise SpoolFull where a record of `size` bytes would be too much."""
        if self._disk_problem is not None:
            raise SpoolFull(self._disk_problem)
        if held.bytes + size > self._max_bytes:
            self._full_at = held.bytes
            raise SpoolFull(f"no room on the spool: ASLEEP_SPOOL_MAX_BYTES is {self._max_bytes}")
        self._full_at = None
        if topic == Topic.ATTEMPTS and held.bytes_of(topic) + size > self._max_bytes // 2:
            raise SpoolFull("no room on the spool: rejected calls may take half of ASLEEP_SPOOL_MAX_BYTES")
