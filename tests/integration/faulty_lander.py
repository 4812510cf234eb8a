"""A lander that kills, or freezes, itself at a named point of its n-th file or commit; run as a program."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from ingest.durable_files import FileOperations
from ingest.event_log import open_reader
from ingest.lander import GROUP, TOPICS, land
from ingest.settings import Settings
from ingest.telemetry import configure_logging, log_event

if TYPE_CHECKING:
    from ingest.event_log.base import EventLogReader, Partition, Rebalanced

REACHED = "the point is reached"


class Point(StrEnum):
    """The steps of landing, in order; a file is there from BEFORE_UNLINK on."""

    BEFORE_WRITE = "before the write"
    IN_MID_WRITE = "in mid-write"
    BEFORE_SYNC = "before the sync"
    AFTER_SYNC = "after the sync"
    BEFORE_LINK = "alone in the folder, before the file has its name"
    BEFORE_UNLINK = "when the file has its name and still the temporary one"
    AFTER_RENAME = "after the rename, before its folder is synced"
    BEFORE_COMMIT = "before the commit"
    AFTER_COMMIT = "after the commit"


@dataclass
class Fate:
    """Sends this process `what` when it comes to `point` for the `times`-th time."""

    point: Point
    times: int
    what: signal.Signals

    def meet(self, point: Point, file: object = None) -> None:
        """Let it happen, if it is time."""
        if point is self.point:
            self.times -= 1
            if self.times == 0:
                log_event(logging.getLogger(__name__), logging.INFO, REACHED, point=point, file=str(file))
                os.kill(os.getpid(), self.what)


class TornFile(io.BufferedWriter):
    """Meets its fate when the first half of its third piece is with the kernel."""

    _pieces = 0

    def __init__(self, raw: io.RawIOBase, meet: Callable[[], None]) -> None:
        super().__init__(raw)
        self._meet = meet

    def write(self, piece: bytes, /) -> int:  # type: ignore[override]  # pyarrow gives nothing else
        self._pieces += 1
        if self._pieces == 3:
            half = len(piece) // 2
            super().write(piece[:half])
            self.flush()
            self._meet()
            return half + super().write(piece[half:])
        return super().write(piece)


class FaultyFiles(FileOperations):
    """The steps of a file, with a fate at each."""

    def __init__(self, fate: Fate) -> None:
        self._meet = fate.meet

    def create(self, path: Path) -> BinaryIO:
        self._meet(Point.BEFORE_WRITE)
        raw = cast("io.BufferedWriter", super().create(path)).detach()
        return cast("BinaryIO", TornFile(raw, partial(self._meet, Point.IN_MID_WRITE)))

    def sync(self, file: BinaryIO) -> None:
        file.flush()
        self._meet(Point.BEFORE_SYNC, file.name)
        super().sync(file)
        self._meet(Point.AFTER_SYNC, file.name)

    def publish(self, temporary: Path, final: Path) -> None:
        self._meet(Point.BEFORE_LINK)
        os.link(temporary, final)
        self._meet(Point.BEFORE_UNLINK)
        final.unlink()
        super().publish(temporary, final)
        self._meet(Point.AFTER_RENAME)


def faulty_reader(
    settings: Settings, fate: Fate, on_assigned: Rebalanced, on_revoked: Rebalanced
) -> EventLogReader:
    """The reader of the settings' log, with a fate before and after each commit."""
    reader = open_reader(settings, TOPICS, GROUP, on_assigned, on_revoked)
    commit = reader.commit

    def commit_faultily(next_offsets: Mapping[Partition, int]) -> None:
        fate.meet(Point.BEFORE_COMMIT)
        commit(next_offsets)
        fate.meet(Point.AFTER_COMMIT)

    reader.commit = commit_faultily  # type: ignore[method-assign]  # a fault is put where the reader is sound
    return reader


def main() -> None:
    """Land with the fate of the arguments: the point's name, how many times it is passed, the signal."""
    configure_logging("INFO")
    settings = Settings()
    point, times, what = sys.argv[1:4]
    fate = Fate(Point[point], int(times), signal.Signals[what])
    connect = partial(faulty_reader, settings, fate)
    land(settings, once="--once" in sys.argv, connect=connect, files=FaultyFiles(fate))


if __name__ == "__main__":
    main()
