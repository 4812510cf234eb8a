"""The lander on a log in memory: what it lands, when, and how it says so."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingest.event_log.base import Partition
from ingest.lander import land
from ingest.records import Topic
from tests.unit.memory_landing import (
    ATTEMPTS,
    OTHER,
    assert_exactly_once,
    footers,
    land_once,
    landed,
    landing_in_background,
    logged,
    path_of,
    settings_of,
    spans,
    wait_until,
)
from tests.unit.memory_reader import EVENTS, MemoryReader, ReadableLog


def test_once_lands_all_partitions_of_both_topics_and_reports_them(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(5, EVENTS)
    log.append(3, OTHER)
    log.append(2, ATTEMPTS)
    report = land(settings_of(tmp_path), once=True, connect=log.connect)
    assert (report.files, report.rows) == (3, 10)
    assert report.bytes == sum(path.stat().st_size for path in (tmp_path / "raw").rglob("*.parquet"))
    assert (report.partitions[OTHER].first_offset, report.partitions[OTHER].last_offset) == (0, 2)
    assert log.committed == {EVENTS: 5, OTHER: 3, ATTEMPTS: 2}
    assert log.readers[0].closed
    assert_exactly_once(tmp_path, log)


def test_once_with_nothing_new_lands_nothing(tmp_path: Path) -> None:
    log = ReadableLog()
    assert land_once(tmp_path, log) == 0
    log.append(3)
    assert land_once(tmp_path, log) == 3
    assert land_once(tmp_path, log) == 0
    assert_exactly_once(tmp_path, log)


def test_the_files_decide_where_to_go_on_not_the_committed_offset(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(4)
    land_once(tmp_path, log)
    for committed in (0, 2, 6):
        log.committed[EVENTS] = committed
        log.append(4)
        assert land_once(tmp_path, log) == 4
    assert spans(tmp_path) == [(0, 3), (4, 7), (8, 11), (12, 15)]
    assert_exactly_once(tmp_path, log)


def test_what_was_polled_before_a_partition_is_positioned_is_void(tmp_path: Path) -> None:
    seeks = []

    class Watched(MemoryReader):
        def seek(self, partition: Partition, offset: int) -> None:
            seeks.append(offset)
            super().seek(partition, offset)

    log = ReadableLog()
    log.append(4)
    land_once(tmp_path, log)
    log.append(4)
    log.committed[EVENTS] = 6
    land(settings_of(tmp_path), once=True, connect=lambda *listeners: Watched(log, *listeners))
    assert seeks == [4]
    assert_exactly_once(tmp_path, log)


def test_another_log_begins_from_its_own_start_beside_the_first(tmp_path: Path) -> None:
    first, second = ReadableLog(log_id="one"), ReadableLog(log_id="two")
    first.append(3)
    second.append(2)
    land_once(tmp_path, first)
    land_once(tmp_path, second)
    assert [(file.log_id, file.last_offset) for file in landed(tmp_path)] == [("one", 2), ("two", 1)]


def test_files_close_by_rows_and_the_footer_agrees(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(7)
    land_once(tmp_path, log, land_max_rows=3)
    assert spans(tmp_path) == [(0, 2), (3, 5), (6, 6)]
    assert [footer.rows for footer in footers(tmp_path)] == [
        3,
        3,
        1,
    ]
    assert_exactly_once(tmp_path, log)


def test_files_close_by_age_while_nothing_more_comes(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(3)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.05), log):
        wait_until(lambda: spans(tmp_path) == [(0, 2)])
        wait_until(lambda: log.committed == {EVENTS: 3})
        log.append(2)
        wait_until(lambda: spans(tmp_path) == [(0, 2), (3, 4)])


def test_a_stop_lands_what_was_read(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(3)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=3600), log):
        wait_until(lambda: log.readers and log.readers[0].polls > 2)
        assert spans(tmp_path) == []
    assert spans(tmp_path) == [(0, 2)]
    assert log.committed == {EVENTS: 3}
    assert log.readers[0].closed


def test_memory_is_bounded_over_all_partitions(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = ReadableLog()
    for number in range(8):
        log.append(10, Partition(Topic.EVENTS.value, number), value=b"x" * 900)
    with caplog.at_level(logging.INFO):
        land_once(tmp_path, log, land_max_bytes=54_000)
    reasons = [fields["because"] for fields in logged(caplog, "landed a file")]
    assert reasons.count("memory") == 5
    assert reasons.count("end") == 3
    assert_exactly_once(tmp_path, log)


def test_each_file_is_one_log_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = ReadableLog()
    log.append(2)
    with caplog.at_level(logging.INFO):
        land_once(tmp_path, log)
    [fields] = logged(caplog, "landed a file")
    seconds = fields.pop("seconds")
    assert isinstance(seconds, float)
    assert json.loads(json.dumps(fields)) == {
        "level": "INFO",
        "range": "asleep.events[0]@0..1",
        "rows": 2,
        "bytes": path_of(tmp_path, landed(tmp_path)[0]).stat().st_size,
        "because": "end",
    }


def test_a_poison_record_is_landed_and_stops_nothing(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(2)
    log.append(value=None, headers=[])
    log.append(value=b"\xff", headers=[("received_at", b"never"), ("foreign", b"\x00")])
    log.append(2)
    land_once(tmp_path, log)
    table = pq.ParquetFile(path_of(tmp_path, landed(tmp_path)[0])).read().to_pylist()
    assert [row["landing_error"] is None for row in table] == [True, True, False, False, True, True]
    assert_exactly_once(tmp_path, log)
