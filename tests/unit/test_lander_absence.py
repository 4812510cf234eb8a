"""Offsets without a record at the end of the log, as a transaction leaves them: landed like all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.event_log.base import Partition
from ingest.lander import land
from ingest.verify import verify
from tests.unit.memory_landing import (
    assert_exactly_once,
    footers,
    land_once,
    landing_in_background,
    settings_of,
    spans,
    wait_until,
)
from tests.unit.memory_reader import MemoryReader, ReadableLog


def test_they_are_part_of_the_file_of_the_records_before_them(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(3)
    log.skip(2)
    assert land_once(tmp_path, log) == 3
    assert spans(tmp_path) == [(0, 4)]
    assert_exactly_once(tmp_path, log)


def test_alone_they_are_a_file_without_rows_that_proves_them(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(3)
    land_once(tmp_path, log)
    log.skip(1)
    assert not verify(settings_of(tmp_path), connect=log.connect).ok
    assert land_once(tmp_path, log) == 0
    assert spans(tmp_path) == [(0, 2), (3, 3)]
    assert [footer.rows for footer in footers(tmp_path)] == [3, 0]
    assert_exactly_once(tmp_path, log)


def test_a_lander_for_good_lands_them_by_age_and_goes_on_behind_them(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(2)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.1), log):
        wait_until(lambda: spans(tmp_path) == [(0, 1)])
        log.skip(1)
        wait_until(lambda: spans(tmp_path) == [(0, 1), (2, 2)])
        log.append(2)
        wait_until(lambda: spans(tmp_path)[-1][1] == 4)
    assert_exactly_once(tmp_path, log)


def test_they_wait_for_the_records_behind_them_no_longer_than_a_file_may(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(2)
    land_once(tmp_path, log)
    log.skip(2)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=3600), log):
        wait_until(lambda: log.readers[-1].polls > 4)
        log.append(1)
        polls = log.readers[-1].polls
        wait_until(lambda: log.readers[-1].polls > polls + 2)
    assert spans(tmp_path) == [(0, 1), (2, 4)]
    assert_exactly_once(tmp_path, log)


@pytest.mark.parametrize("jumps", [1, 3])
def test_a_reader_that_goes_past_records_once_is_not_believed(tmp_path: Path, jumps: int) -> None:
    class Jumpy(MemoryReader):
        def position(self, partition: Partition) -> int:
            position = super().position(partition)
            return position + jumps if self.polls == 2 and not self.closed else position

    log = ReadableLog()
    log.append(5)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.05), log):
        wait_until(lambda: spans(tmp_path) == [(0, 4)])
    land(settings_of(tmp_path), once=True, connect=lambda *listeners: Jumpy(log, *listeners))
    log.append(3)
    land(settings_of(tmp_path), once=True, connect=lambda *listeners: Jumpy(log, *listeners))
    assert_exactly_once(tmp_path, log)
