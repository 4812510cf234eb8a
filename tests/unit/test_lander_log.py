"""Whatever the log does: what it has is landed once, and what it lost is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ingest.event_log.base import LogUnavailable, Partition, UnreadableRecord
from ingest.lander import land
from ingest.parquet_files import read_footer
from ingest.positions import LogRecreated
from ingest.raw_store.local import LocalStore
from tests.unit.memory_landing import (
    assert_exactly_once,
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


def test_what_the_log_dropped_is_recorded_loudly_once_and_landing_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = ReadableLog()
    log.append(3)
    land_once(tmp_path, log)
    log.append(10)
    log.drop_before(8)
    land_once(tmp_path, log)
    land_once(tmp_path, log)
    assert spans(tmp_path) == [(0, 2), (8, 12)]
    [gap] = (tmp_path / "raw").rglob("gap+*.json")
    assert (json.loads(gap.read_text())["first_offset"], json.loads(gap.read_text())["last_offset"]) == (3, 7)
    [lost] = logged(caplog, "LOST")
    assert (lost["level"], lost["range"]) == ("ERROR", "asleep.events[0]@3..7")


def test_a_log_that_dropped_everything_leaves_a_gap_up_to_its_end(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(5)
    log.drop_before(5)
    land_once(tmp_path, log)
    assert spans(tmp_path) == []
    log.append(2)
    land_once(tmp_path, log)
    assert spans(tmp_path) == [(5, 6)]
    assert [path.name for path in (tmp_path / "raw").rglob("gap+*.json")] == [
        "gap+0+00000000000000000000+00000000000000000004.json"
    ]


def test_retention_that_overtakes_a_lander_at_work_is_recorded(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(3)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=3600), log):
        wait_until(lambda: log.readers and log.readers[0].polls > 2)
        log.ends[EVENTS] += 4
        log.records[EVENTS].clear()
        log.append(2)
        wait_until(lambda: list((tmp_path / "raw").rglob("gap+*.json")))
    assert spans(tmp_path) == [(0, 2), (7, 8)]
    assert [path.name for path in (tmp_path / "raw").rglob("gap+*.json")] == [
        "gap+0+00000000000000000003+00000000000000000006.json"
    ]


def test_offsets_without_a_record_are_part_of_a_file(tmp_path: Path) -> None:
    log = ReadableLog()
    log.skip(1)
    log.append(3)
    log.skip(2)
    log.append(3)
    log.records[EVENTS].insert(0, log.records[EVENTS][0]._replace(offset=0))
    land_once(tmp_path, log)
    assert spans(tmp_path) == [(0, 8)]
    assert read_footer(LocalStore(tmp_path / "raw"), landed(tmp_path)[0].name).rows == 7
    assert_exactly_once(tmp_path, log)


def test_records_that_a_reader_jumps_over_are_read_again(tmp_path: Path) -> None:
    class Jumpy(MemoryReader):
        def poll(self, timeout_seconds: float, max_records: int) -> Mapping[Partition, Any]:
            polled = super().poll(timeout_seconds, max_records)
            return (
                {source: [*records[:3], *records[5:]] for source, records in polled.items()}
                if self.polls == 2
                else polled
            )

    log = ReadableLog()
    log.append(10)
    land(settings_of(tmp_path), once=True, connect=lambda *listeners: Jumpy(log, *listeners))
    assert_exactly_once(tmp_path, log)


class Broken(MemoryReader):
    """Can not decode the records at some offsets, as a client that meets a corrupt batch."""

    broken = frozenset({0, 4, 5, 9})

    def poll(self, timeout_seconds: float, max_records: int) -> Mapping[Partition, Any]:
        polled = super().poll(timeout_seconds, max_records)
        for source, records in polled.items():
            bad = next((at for at, record in enumerate(records) if record.offset in self.broken), None)
            if bad is not None:
                self.seek(source, records[bad].offset)
                if bad == 0:
                    raise UnreadableRecord(source, records[0].offset, ValueError("garbage"))
                return {source: records[:bad]}
        return polled


def test_records_that_nobody_can_decode_are_rows_with_the_fault_and_stop_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = ReadableLog()
    log.append(10)
    land(settings_of(tmp_path), once=True, connect=lambda *listeners: Broken(log, *listeners))
    assert_exactly_once(tmp_path, log)
    rows = pq.ParquetFile(path_of(tmp_path, landed(tmp_path)[0])).read().to_pylist()
    faults = {row["log_offset"]: row["landing_error"] for row in rows if row["landing_error"]}
    assert faults.keys() == Broken.broken
    assert "can not be read at offset 4: ValueError: garbage" in faults[4]
    assert len(logged(caplog, "landed a row without its record")) == 4


@pytest.mark.parametrize("rows", [2, 1000])
def test_a_batch_that_nobody_can_decode_is_a_row_with_the_fault_for_each_offset_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rows: int
) -> None:
    class BrokenBatch(MemoryReader):
        def poll(self, timeout_seconds: float, max_records: int) -> Mapping[Partition, Any]:
            polled = super().poll(timeout_seconds, max_records)
            first = polled[EVENTS][0].offset if polled else 0
            if polled and first < 3:
                self.seek(EVENTS, 3)
                return {EVENTS: polled[EVENTS][: 3 - first]}
            if polled and first <= 7:
                self.seek(EVENTS, first)
                raise UnreadableRecord(EVENTS, first, ValueError("garbage"), last_offset=7)
            return polled

    log = ReadableLog(reader=BrokenBatch)
    log.append(10)
    land_once(tmp_path, log, land_max_rows=rows)
    assert_exactly_once(tmp_path, log)
    faults = {
        row["log_offset"]: row["landing_error"]
        for file in landed(tmp_path)
        for row in pq.ParquetFile(path_of(tmp_path, file)).read().to_pylist()
        if row["landing_error"]
    }
    assert list(faults) == [3, 4, 5, 6, 7]
    assert "can not be read at offset 7: ValueError: garbage" in faults[7]
    [told] = logged(caplog, "landed a row without its record")
    assert "can not be read at offset 3..7" in str(told["error"])


def test_a_log_made_anew_under_the_same_id_is_not_landed_until_it_is_the_old_one_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = ReadableLog()
    log.append(5)
    land_once(tmp_path, log)
    again = ReadableLog()
    again.append(3)
    with pytest.raises(LogRecreated, match=r"asleep\.events\[0\] ends at offset 3, but all before 5"):
        land_once(tmp_path, again)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.01), again):
        wait_until(lambda: logged(caplog, "landing failed"))
        assert "LogRecreated" in str(logged(caplog, "landing failed")[0]["error"])
        assert spans(tmp_path) == [(0, 4)]
        again.append(3)
        wait_until(lambda: spans(tmp_path) == [(0, 4), (5, 5)])


def test_an_absent_log_fails_once_and_is_awaited_for_good(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = ReadableLog(unavailable=True)
    log.append(2)
    with pytest.raises(LogUnavailable):
        land_once(tmp_path, log)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.01), log):
        wait_until(lambda: logged(caplog, "landing failed"))
        log.unavailable = False
        wait_until(lambda: spans(tmp_path) == [(0, 1)])


def test_what_was_read_is_landed_when_the_log_goes_away(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(2)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=3600), log):
        wait_until(lambda: log.readers and log.readers[0].polls > 2)
        log.unavailable = True
        wait_until(lambda: spans(tmp_path) == [(0, 1)])
        wait_until(lambda: log.readers[0].closed)
        log.unavailable = False
        log.append(1)
        wait_until(lambda: len(log.readers) > 1 and log.readers[1].polls > 2)
    assert_exactly_once(tmp_path, log)


def test_once_gives_up_when_the_log_stays_silent_about_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(MemoryReader):
        def position(self, partition: Partition) -> int:
            return min(super().position(partition), 3)

    monkeypatch.setattr("ingest.lander._LONGEST_SILENCE_SECONDS", 0.1)
    log = ReadableLog()
    log.append(3)
    log.skip(2)
    settings = settings_of(tmp_path, land_max_age_seconds=0.01)
    with pytest.raises(LogUnavailable, match="no record came"):
        land(settings, once=True, connect=lambda *listeners: Silent(log, *listeners))
    assert spans(tmp_path) == [(0, 2)]


def test_a_commit_that_fails_changes_nothing(tmp_path: Path) -> None:
    class Deaf(MemoryReader):
        def commit(self, next_offsets: Mapping[Partition, int]) -> None:
            raise LogUnavailable(f"not {next_offsets} now")

    log = ReadableLog()
    log.append(4)
    for _ in range(2):
        land(settings_of(tmp_path), once=True, connect=lambda *listeners: Deaf(log, *listeners))
    assert log.committed == {}
    assert_exactly_once(tmp_path, log)
