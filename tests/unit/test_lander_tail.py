"""A log that loses its newest records while they are landed, as a broker that lost power does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ingest.event_log.base import Partition
from tests.unit.memory_landing import (
    land_once,
    landing_in_background,
    logged,
    offsets,
    settings_of,
    spans,
    wait_until,
)
from tests.unit.memory_reader import EVENTS, MemoryReader, ReadableLog


class GoesBack(MemoryReader):
    """As Kafka's client: where the log ends before its position, it goes back to the oldest record."""

    def poll(self, timeout_seconds: float, max_records: int) -> Mapping[Partition, Any]:
        for source, position in self._positions.items():
            if position > self.log.ends[source]:
                self._positions[source] = self.log.first(source)
        return super().poll(timeout_seconds, max_records)


class GoesBackToTheEnd(MemoryReader):
    """As Kafka's client where it is told from which offset on the log has other records."""

    def poll(self, timeout_seconds: float, max_records: int) -> Mapping[Partition, Any]:
        for source, position in self._positions.items():
            self._positions[source] = min(position, self.log.ends[source])
        return super().poll(timeout_seconds, max_records)


def lose_from(log: ReadableLog, offset: int) -> None:
    log.ends[EVENTS] = offset
    log.records[EVENTS] = log.records[EVENTS][:offset]


def failures(caplog: pytest.LogCaptureFixture) -> str:
    return str([line["error"] for line in logged(caplog, "landing failed")])


@pytest.mark.parametrize("reader", [GoesBack, GoesBackToTheEnd])
def test_a_lander_at_work_says_so_and_waits_for_the_log_to_be_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, reader: type[MemoryReader]
) -> None:
    log = ReadableLog(reader=reader)
    log.append(10)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.05), log):
        wait_until(lambda: spans(tmp_path) == [(0, 9)])
        lose_from(log, 6)
        wait_until(lambda: "asleep.events[0] ends at offset 6, but all before 10" in failures(caplog))
        assert spans(tmp_path) == [(0, 9)]


def test_other_records_that_are_there_already_in_place_of_lost_ones_do_not_go_by_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class GoesBackLate(MemoryReader):
        """Its log has lost six records and taken eight others before it asks again."""

        def poll(self, timeout_seconds: float, max_records: int) -> Mapping[Partition, Any]:
            if self.log.committed == {EVENTS: 10}:
                self.log.committed.clear()
                lose_from(self.log, 4)
                self.log.append(8)
                self.seek(EVENTS, 4)
            return super().poll(timeout_seconds, max_records)

    log = ReadableLog(reader=GoesBackLate)
    log.append(10)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.05), log):
        wait_until(lambda: "asleep.events[0]@4..9: the log lost its newest records" in failures(caplog))
        wait_until(lambda: offsets(tmp_path) == list(range(12)))
    assert land_once(tmp_path, log) == 0
