"""Runs landers on a log in memory, and tells what they landed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ingest.durable_files import FileOperations
from ingest.event_log.base import Partition
from ingest.landed_files import LandedRange, landed_files
from ingest.lander import land
from ingest.parquet_files import Footer, read_footer
from ingest.raw_store.local import LocalStore
from ingest.records import Topic
from ingest.settings import Settings
from ingest.verify import verify
from tests.unit.memory_reader import EVENTS, ReadableLog

OTHER = Partition(Topic.EVENTS.value, 1)
ATTEMPTS = Partition(Topic.ATTEMPTS.value, 0)


def settings_of(tmp_path: Path, **changed: Any) -> Settings:
    return Settings(**{"data_dir": tmp_path, "lander_port": 0, **changed})


def land_once(tmp_path: Path, log: ReadableLog, files: FileOperations | None = None, **changed: Any) -> int:
    report = land(settings_of(tmp_path, **changed), once=True, connect=log.connect, files=files)
    return report.rows


def landed(tmp_path: Path, source: Partition = EVENTS) -> list[LandedRange]:
    files = landed_files(LocalStore(tmp_path / "raw"), source.topic)
    return [file for file in files if file.source == source]


def footers(tmp_path: Path) -> list[Footer]:
    return [read_footer(LocalStore(tmp_path / "raw"), file.name) for file in landed(tmp_path)]


def path_of(tmp_path: Path, file: LandedRange) -> Path:
    return tmp_path / "raw" / file.name


def spans(tmp_path: Path, source: Partition = EVENTS) -> list[tuple[int, int]]:
    return [(file.first_offset, file.last_offset) for file in landed(tmp_path, source)]


def offsets(tmp_path: Path, source: Partition = EVENTS) -> list[int]:
    return [
        offset
        for file in landed(tmp_path, source)
        for path in [path_of(tmp_path, file)]
        for offset in pq.ParquetFile(path).read(columns=["log_offset"])["log_offset"].to_pylist()
    ]


def leftovers(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "raw").rglob("*.tmp"))


def assert_exactly_once(tmp_path: Path, log: ReadableLog) -> None:
    report = verify(settings_of(tmp_path), deep=True, connect=log.connect)
    assert report.problems == ()
    for source, records in log.records.items():
        assert offsets(tmp_path, source) == [record.offset for record in records]


def logged(caplog: pytest.LogCaptureFixture, message: str) -> list[dict[str, object]]:
    """The fields of each log line that begins with this message, and its level."""
    return [
        {"level": record.levelname, **getattr(record, "fields", {})}
        for record in caplog.records
        if record.message.startswith(message)
    ]


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


@contextmanager
def landing_in_background(
    settings: Settings, log: ReadableLog, files: FileOperations | None = None
) -> Iterator[None]:
    """A lander for good, in a thread, stopped and flushed at the end."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            land(settings, stop=stop, connect=log.connect, files=files)
        except BaseException as error:  # noqa: BLE001  re-raised below, in the thread of the test
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=20)
    assert not thread.is_alive()
    if failures:
        raise failures[0]
