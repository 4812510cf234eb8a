"""What /readyz and /healthz say of a lander, whatever happens to it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from ingest.event_log.base import LogUnavailable, Partition
from ingest.lander import land
from tests.unit.lander_looks import Disk, Pages
from tests.unit.memory_landing import (
    assert_exactly_once,
    land_once,
    landing_in_background,
    settings_of,
    spans,
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


def test_a_full_disk_is_told_until_there_is_room_and_never_less_meanwhile(
    tmp_path: Path, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.lander._LONGEST_BACKOFF_SECONDS", 0.02)
    log, disk = ReadableLog(), Disk()
    disk.full = True
    log.append(3, appended_us=time.time_ns() // 1000 - 50_000_000)
    with landing_in_background(settings_of(tmp_path, land_max_rows=2), log, disk):
        wait_until(lambda: "raw_files" in pages.problems())
        tries = len(log.readers)
        while len(log.readers) < tries + 5:
            assert "No space left on device" in pages.problems()["raw_files"]
        assert pages.number("paused", "raw_files") == 1
        assert pages.number("paused", "event_log") == 0
        assert pages.number("pauses_total", "raw_files") == 1
        log.append(4)
        wait_until(lambda: pages.number("lag_records", *EVENTS) == 7)
        assert (pages.number("lag_seconds", *EVENTS) or 0) >= 50
        disk.full = False
        wait_until(lambda: not pages.problems())
        assert pages.number("paused", "raw_files") == 0
        lasted = pages.number("paused_seconds_total", "raw_files")
        assert lasted
        assert pages.number("paused_seconds_total", "raw_files") == lasted
    assert_exactly_once(tmp_path, log)


def test_a_pause_ends_when_another_lander_has_landed_everything(
    tmp_path: Path, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.lander._LONGEST_BACKOFF_SECONDS", 0.02)
    log, disk = ReadableLog(), Disk()
    disk.full = True
    log.append(2)
    with landing_in_background(settings_of(tmp_path, land_max_rows=2), log, disk):
        wait_until(lambda: "raw_files" in pages.problems())
        land_once(tmp_path, log)
        wait_until(lambda: not pages.problems())
        assert disk.full


def test_a_log_that_is_away_is_told_until_it_is_back(tmp_path: Path, pages: Pages) -> None:
    log = ReadableLog()
    log.append(2)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.01), log):
        wait_until(lambda: spans(tmp_path) == [(0, 1)] and not pages.problems())
        log.unavailable = True
        wait_until(lambda: pages.problems() == {"event_log": "the log in memory is away"})
        wait_until(lambda: pages.number("paused", "event_log") == 1)
        log.unavailable = False
        wait_until(lambda: not pages.problems())
        assert pages.number("pauses_total", "event_log") == 1


def test_a_log_that_gives_no_records_because_it_is_away_is_told(tmp_path: Path, pages: Pages) -> None:
    class Quiet(MemoryReader):
        """As a client that waits for its broker without a word."""

        def end_offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
            if away.is_set():
                raise LogUnavailable("no broker answers")
            return super().end_offsets(partitions)

    away = threading.Event()
    log = ReadableLog(reader=Quiet)
    log.append(1)
    with landing_in_background(settings_of(tmp_path), log):
        wait_until(lambda: not pages.problems())
        away.set()
        wait_until(lambda: pages.problems() == {"event_log": "no broker answers"})
        away.clear()
        wait_until(lambda: not pages.problems())


def test_a_log_that_does_not_say_where_it_ends_is_told_and_landed_all_the_same(
    tmp_path: Path, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(MemoryReader):
        def end_offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
            assert self.polls or answers.wait(20)
            return super().end_offsets(partitions)

    monkeypatch.setattr("ingest.lander_state.SILENT_SECONDS", 0.05)
    answers = threading.Event()
    log = ReadableLog(reader=Hanging)
    log.append(1)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.01), log):
        wait_until(lambda: "where it ends" in pages.problems().get("event_log", ""))
        wait_until(lambda: spans(tmp_path) == [(0, 0)])
        answers.set()
        wait_until(lambda: not pages.problems())


def test_without_a_partition_it_is_not_ready(tmp_path: Path, pages: Pages) -> None:
    log = ReadableLog()
    with landing_in_background(settings_of(tmp_path), log):
        wait_until(lambda: log.readers and log.readers[0].polls > 2)
        assert "no partition is assigned" in pages.problems()["partitions"]
        log.append(1)
        log.readers[0].pending_assign = {EVENTS}
        wait_until(lambda: not pages.problems())
        log.readers[0].pending_revoke = {EVENTS}
        wait_until(lambda: "partitions" in pages.problems())
        assert pages.number("rebalances_total", "revoked") == 1
        assert pages.number("lag_records", *EVENTS) is None


def test_a_log_made_anew_is_told_with_what_to_do(tmp_path: Path, pages: Pages) -> None:
    log, again = ReadableLog(), ReadableLog()
    log.append(5)
    land_once(tmp_path, log)
    again.append(3)
    with landing_in_background(settings_of(tmp_path), again):
        wait_until(lambda: "the log was made anew" in pages.problems().get("event_log", ""))


def test_a_lander_that_stops_is_not_ready_before_it_lands_what_is_left(tmp_path: Path, pages: Pages) -> None:
    log, disk = ReadableLog(), Disk()
    log.append(2)
    stop = threading.Event()
    settings = settings_of(tmp_path, land_max_age_seconds=3600)
    lander = threading.Thread(
        target=land, args=(settings,), kwargs={"stop": stop, "connect": log.connect, "files": disk}
    )
    lander.start()
    try:
        wait_until(lambda: pages.number("buffered_rows", *EVENTS) == 2 and not pages.problems())
        disk.answers.clear()
        disk.asked.clear()
        stop.set()
        assert "stopping" in pages.problems()
        assert disk.asked.wait(20)
        assert "stopping" in pages.problems()
        assert spans(tmp_path) == []
    finally:
        disk.answers.set()
        lander.join(20)
    assert spans(tmp_path) == [(0, 1)]


def test_a_loop_that_is_stuck_is_told_as_long_as_it_lasts(
    tmp_path: Path, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.lander_state.STUCK_SECONDS", 5.0)
    log, disk = ReadableLog(), Disk()
    disk.answers.clear()
    log.append(2)
    with landing_in_background(settings_of(tmp_path, land_max_rows=2), log, disk):
        try:
            assert disk.asked.wait(20)
            assert pages.get("/healthz") == (200, '{"status":"alive"}')
            monkeypatch.setattr("ingest.lander_state.STUCK_SECONDS", 0.0)
            status, told = pages.get("/healthz")
            assert status == 503
            assert "has not turned for" in told
            assert "has not turned for" in pages.problems()["loop"]
            monkeypatch.setattr("ingest.lander_state.STUCK_SECONDS", 5.0)
        finally:
            disk.answers.set()
        wait_until(lambda: pages.get("/healthz")[0] == 200 and not pages.problems())


def test_a_pause_ends_when_others_have_all_that_the_lander_had(
    tmp_path: Path, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Leaves(MemoryReader):
        """What it is assigned goes to somebody else once it has failed."""

        def poll(self, timeout_seconds: float, max_records: int) -> Mapping[Partition, Any]:
            if self.log.readers not in ([], [self]):
                self.pending_assign = set()
            return super().poll(timeout_seconds, max_records)

    monkeypatch.setattr("ingest.lander._LONGEST_BACKOFF_SECONDS", 0.02)
    monkeypatch.setattr("ingest.lander_state.UNASSIGNED_SECONDS", 0.2)
    log = ReadableLog(reader=Leaves)
    log.append(3)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.01), log):
        wait_until(lambda: spans(tmp_path) == [(0, 2)])
        log.unavailable = True
        wait_until(lambda: pages.number("paused", "event_log") == 1)
        log.unavailable = False
        log.append(4)
        wait_until(lambda: pages.problems().keys() == {"partitions"})
        assert pages.number("paused", "event_log") == 0
        assert pages.number("assigned_partitions") == 0
        assert pages.number("lag_records", *EVENTS) is None
