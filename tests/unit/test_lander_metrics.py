"""What a lander lands, loses and leaves behind, counted on /metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ingest.event_log.base import LogUnavailable, Partition, UnreadableRecord
from tests.unit.lander_looks import Pages
from tests.unit.memory_landing import (
    assert_exactly_once,
    land_once,
    landing_in_background,
    settings_of,
    wait_until,
)
from tests.unit.memory_reader import EVENTS, MemoryReader, ReadableLog


@pytest.fixture
def pages(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Pages:
    """The pages of a lander that asks the log without rest where it ends."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("ingest.log_watch.ASK_SECONDS", 0.005)
    monkeypatch.setattr("ingest.log_watch._LOOK_SECONDS", 0.005)
    return Pages(caplog)


def test_what_is_not_landed_is_counted_and_its_age_told(tmp_path: Path, pages: Pages) -> None:
    log = ReadableLog()
    log.append(3, appended_us=time.time_ns() // 1000 - 100_000_000)
    log.append(2, appended_us=time.time_ns() // 1000)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=3600), log):
        wait_until(lambda: pages.number("lag_records", *EVENTS) == 5)
        assert 100 <= (pages.number("lag_seconds", *EVENTS) or 0) < 160
        assert pages.number("buffered_rows", *EVENTS) == 5
        assert (pages.number("buffered_bytes", *EVENTS) or 0) > 10
        assert pages.number("assigned_partitions") == 1
        assert pages.problems() == {}


def test_what_is_landed_is_counted_with_why_its_file_was_closed(tmp_path: Path, pages: Pages) -> None:
    log = ReadableLog()
    log.append(5, value=b"x" * 100)
    with landing_in_background(settings_of(tmp_path, land_max_rows=3, land_max_age_seconds=0.01), log):
        wait_until(lambda: pages.number("rows_total", *EVENTS) == 5)
        assert pages.number("files_total", *EVENTS, "rows") == 1
        assert pages.number("files_total", *EVENTS, "age") == 1
        assert pages.number("value_bytes_total", *EVENTS) == 500
        sizes = sum(path.stat().st_size for path in tmp_path.rglob("*.parquet"))
        assert pages.number("file_bytes_total", *EVENTS) == sizes
        assert pages.number("landing_duration_seconds_count") == 2
        assert abs(time.time() - (pages.number("last_landed_timestamp_seconds", *EVENTS) or 0)) < 60
        wait_until(lambda: pages.number("lag_records", *EVENTS) == 0)
        assert pages.number("lag_seconds", *EVENTS) == 0
        assert pages.number("rebalances_total", "assigned") == 1
        assert "process_resident_memory_bytes" in pages.get("/metrics")[1]


def test_offsets_that_the_log_lost_are_counted(tmp_path: Path, pages: Pages) -> None:
    log = ReadableLog()
    log.append(3)
    land_once(tmp_path, log)
    log.append(10)
    log.drop_before(8)
    with landing_in_background(settings_of(tmp_path), log):
        wait_until(lambda: pages.number("gaps_total", *EVENTS) == 1)
        assert pages.number("lost_offsets_total", *EVENTS) == 5


def test_records_that_can_not_be_read_are_counted(tmp_path: Path, pages: Pages) -> None:
    class Broken(MemoryReader):
        def poll(self, timeout_seconds: float, max_records: int) -> Mapping[Partition, Any]:
            polled = super().poll(timeout_seconds, max_records)
            if polled and polled[EVENTS][0].offset == 0:
                self.seek(EVENTS, 0)
                raise UnreadableRecord(EVENTS, 0, ValueError("garbage"))
            return polled

    log = ReadableLog(reader=Broken)
    log.append(2)
    with landing_in_background(settings_of(tmp_path), log):
        wait_until(lambda: pages.number("buffered_rows", *EVENTS) == 2)
        assert pages.number("unreadable_records_total", *EVENTS) == 1


def test_lost_races_and_commits_are_counted(tmp_path: Path, pages: Pages) -> None:
    class Deaf(MemoryReader):
        def commit(self, next_offsets: Mapping[Partition, int]) -> None:
            raise LogUnavailable(f"not {next_offsets} now")

    log = ReadableLog(reader=Deaf)
    log.append(2)
    with landing_in_background(settings_of(tmp_path, land_max_rows=3), log):
        wait_until(lambda: pages.number("buffered_rows", *EVENTS) == 2)
        assert pages.number("overtaken_files_total", *EVENTS) == 0
        land_once(tmp_path, log)
        log.append(1)
        wait_until(lambda: pages.number("overtaken_files_total", *EVENTS) == 1)
        assert pages.number("failed_commits_total") == 0
        log.append(2)
        wait_until(lambda: pages.number("failed_commits_total") == 1)
    assert_exactly_once(tmp_path, log)
