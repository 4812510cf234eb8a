"""Several landers in one group: after any rebalance, every offset is in exactly one file."""

from __future__ import annotations

import fcntl
import os
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.durable_files import FileOperations
from ingest.landed_files import LandedRange
from ingest.lander_metrics import LanderMetrics
from ingest.lander_state import LanderState
from ingest.landing import Landing
from ingest.parquet_files import SCHEMA, write_parquet
from ingest.raw_store import open_store
from tests.unit.memory_landing import (
    assert_exactly_once,
    land_once,
    landed,
    landing_in_background,
    leftovers,
    logged,
    offsets,
    path_of,
    settings_of,
    spans,
    wait_until,
)
from tests.unit.memory_reader import EVENTS, ReadableLog


def test_revoked_records_are_dropped_and_read_again_by_the_next_owner(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = ReadableLog()
    log.append(4)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=3600), log):
        wait_until(lambda: log.readers and log.readers[0].polls > 2)
        log.readers[0].pending_revoke = {EVENTS}
        wait_until(lambda: not log.readers[0].assignment())
        assert land_once(tmp_path, log) == 4
    assert logged(caplog, "another lander came first") == []
    assert_exactly_once(tmp_path, log)


def test_a_partition_that_comes_back_goes_on_where_the_other_lander_ended(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(4)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=3600), log):
        wait_until(lambda: log.readers and log.readers[0].polls > 2)
        log.readers[0].pending_revoke = {EVENTS}
        wait_until(lambda: not log.readers[0].assignment())
        land_once(tmp_path, log)
        log.append(3)
        log.committed.clear()
        log.readers[0].pending_assign = {EVENTS}
        wait_until(lambda: len(log.readers[0].assignment()) == 1)
        polls = log.readers[0].polls
        wait_until(lambda: log.readers[0].polls > polls + 2)
    assert spans(tmp_path) == [(0, 3), (4, 6)]
    assert_exactly_once(tmp_path, log)


def test_a_lander_that_slept_through_a_rebalance_lands_nothing_twice(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(4)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.3), log):
        wait_until(lambda: log.readers and log.readers[0].polls > 2)
        log.append(2)
        land_once(tmp_path, log)
        wait_until(lambda: log.readers[0].polls > 4)
        log.append(2)
        wait_until(lambda: len(offsets(tmp_path)) == 8)
    assert_exactly_once(tmp_path, log)


def test_no_existing_file_is_ever_overwritten(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(4)
    land_once(tmp_path, log)
    [file] = landed(tmp_path)
    before = path_of(tmp_path, file).read_bytes()
    temporary = path_of(tmp_path, file).with_name(".temporary.tmp")
    temporary.write_bytes(b"other")
    with pytest.raises(FileExistsError):
        FileOperations().publish(temporary, path_of(tmp_path, file))
    assert path_of(tmp_path, file).read_bytes() == before


def test_only_unfinished_files_of_dead_landers_are_swept(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(1)
    land_once(tmp_path, log)
    folder = path_of(tmp_path, landed(tmp_path)[0]).parent
    dead = folder / ".dead.tmp"
    dead.touch()
    with FileOperations().create(folder / ".living.tmp") as living:
        land_once(tmp_path, log)
        assert leftovers(tmp_path) == [folder / ".living.tmp"]
        assert not living.closed
    assert spans(tmp_path) == [(0, 0)]


def test_a_lander_that_waits_for_another_sees_what_that_one_landed(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(2)
    land_once(tmp_path, log)
    [first] = landed(tmp_path)
    log.append(2)
    others = os.open(path_of(tmp_path, first).parent.parent, os.O_RDONLY)
    fcntl.flock(others, fcntl.LOCK_EX)
    with landing_in_background(settings_of(tmp_path, land_max_rows=2), log):
        wait_until(lambda: leftovers(tmp_path))
        between = LandedRange("memory", *EVENTS, 2, 2, first.received_date)
        with path_of(tmp_path, between).open("xb") as file:
            table = pq.ParquetFile(path_of(tmp_path, first)).read().slice(0, 1)
            column = SCHEMA.get_field_index("log_offset")
            second = table.set_column(column, SCHEMA.field(column), pa.array([2], pa.int64()))
            write_parquet(file, second, between)
        os.close(others)
        wait_until(lambda: log.readers[-1].polls > 4)
    assert spans(tmp_path) == [(0, 1), (2, 2), (3, 3)]
    assert_exactly_once(tmp_path, log)


def test_a_lander_that_stands_still_in_the_wrong_place_is_not_awaited_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.durable_files._LONGEST_WAIT_SECONDS", 0.05)
    log = ReadableLog()
    log.append(2)
    land_once(tmp_path, log)
    log.append(2)
    folder = path_of(tmp_path, landed(tmp_path)[0]).parent.parent
    others = os.open(folder, os.O_RDONLY)
    fcntl.flock(others, fcntl.LOCK_EX)
    with pytest.raises(TimeoutError, match="resume or kill it"):
        land_once(tmp_path, log)
    os.close(others)
    assert leftovers(tmp_path) == []
    assert land_once(tmp_path, log) == 2


def test_a_lander_that_lands_once_lets_no_other_wait_for_the_last_it_has_read(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(4)
    settings = settings_of(tmp_path, land_max_age_seconds=3600)
    store = open_store(settings)
    store.prepare()
    landing = Landing(settings, [EVENTS.topic], log.connect, store, LanderMetrics(LanderState(lambda: False)))
    with closing(landing):
        ends = landing.ends()
        for _ in range(2):
            landing.turn()
            landing.land_reached(ends)
        log.append(1)
        landing.turn()
        landing.land_reached(ends)
        assert spans(tmp_path) == [(0, 3)]
