"""When a file is full, of which date it is, and what it does with offsets out of order."""

from __future__ import annotations

from datetime import date

import pytest

from ingest.batches import Batch, Close, Limits
from ingest.records import Header
from tests.unit.memory_reader import EVENTS, NOON_US, MemoryRecord, ReadableLog

HOUR_US = 3_600_000_000
MIDNIGHT_US = NOON_US + 12 * HOUR_US
MANY = Limits(rows=1_000_000, bytes=1 << 40)


def files(log: ReadableLog, limits: Limits = MANY) -> list[Batch]:
    """The batches that the log's records make, as the lander makes them."""
    records = log.records[EVENTS]
    batches = [Batch("memory", EVENTS, 0, limits)]
    at = 0
    while at < len(records):
        at, full = batches[-1].take(records, at)
        if full is not None:
            batches.append(Batch("memory", EVENTS, batches[-1].next_offset, limits))
    return [batch for batch in batches if batch.rows]


def spans(batches: list[Batch]) -> list[tuple[int, int, str]]:
    return [
        (batch.range.first_offset, batch.range.last_offset, str(batch.range.received_date))
        for batch in batches
    ]


def test_a_file_closes_at_its_rows() -> None:
    log = ReadableLog()
    log.append(7)
    assert [batch.rows for batch in files(log, Limits(rows=3, bytes=1 << 40))] == [3, 3, 1]


def test_a_file_closes_at_its_bytes_of_values() -> None:
    log = ReadableLog()
    log.append(5, value=b"x" * 40)
    batches = files(log, Limits(rows=100, bytes=100))
    assert [(batch.rows, batch.value_bytes) for batch in batches] == [(3, 120), (2, 80)]


def test_the_reason_is_told() -> None:
    log = ReadableLog()
    log.append(5, value=b"x" * 40)
    assert Batch("memory", EVENTS, 0, Limits(2, 1000)).take(log.records[EVENTS], 0) == (2, Close.ROWS)
    assert Batch("memory", EVENTS, 0, Limits(9, 100)).take(log.records[EVENTS], 0) == (3, Close.BYTES)
    assert Batch("memory", EVENTS, 0, MANY).take(log.records[EVENTS], 0) == (5, None)
    log.append(received_us=MIDNIGHT_US)
    assert Batch("memory", EVENTS, 0, MANY).take(log.records[EVENTS], 0) == (5, Close.DATE)


def test_a_newer_date_begins_a_new_file() -> None:
    log = ReadableLog()
    log.append(2, received_us=MIDNIGHT_US - 1)
    log.append(2, received_us=MIDNIGHT_US)
    assert spans(files(log)) == [(0, 1, "2026-01-29"), (2, 3, "2026-01-30")]


def test_two_receivers_around_midnight_make_one_file_of_each_date() -> None:
    log = ReadableLog()
    for _ in range(500):
        log.append(received_us=MIDNIGHT_US - HOUR_US, appended_us=MIDNIGHT_US)
        log.append(received_us=MIDNIGHT_US + 1, appended_us=MIDNIGHT_US + 1)
    assert spans(files(log)) == [(0, 0, "2026-01-29"), (1, 999, "2026-01-30")]


def test_records_received_before_midnight_but_appended_after_it_stay_with_their_date() -> None:
    log = ReadableLog()
    log.append(2, received_us=MIDNIGHT_US - 1)
    log.append(2, received_us=MIDNIGHT_US - 1, appended_us=MIDNIGHT_US + HOUR_US)
    assert spans(files(log)) == [(0, 3, "2026-01-29")]


def test_a_receiver_whose_clock_runs_ahead_moves_no_file() -> None:
    log = ReadableLog()
    log.append(received_us=NOON_US)
    log.append(received_us=NOON_US + 9000 * HOUR_US, appended_us=NOON_US)
    log.append(received_us=NOON_US)
    assert spans(files(log)) == [(0, 2, "2026-01-29")]
    ahead = ReadableLog()
    ahead.append(received_us=NOON_US + 9000 * HOUR_US, appended_us=NOON_US)
    assert spans(files(ahead)) == [(0, 0, "2026-01-29")]


def test_records_from_long_ago_stay_beside_the_new_ones() -> None:
    log = ReadableLog()
    log.append(received_us=NOON_US)
    log.append(10, received_us=NOON_US - 90 * HOUR_US, appended_us=NOON_US)
    log.append(received_us=NOON_US)
    assert spans(files(log)) == [(0, 11, "2026-01-29")]


@pytest.mark.parametrize(
    ("headers", "timestamp", "expected"),
    [
        ([], NOON_US // 1000, date(2026, 1, 29)),
        ([(Header.RECEIVED_AT.value, b"noon")], NOON_US // 1000, date(2026, 1, 29)),
        ([(Header.RECEIVED_AT.value, str(NOON_US).encode())], -1, date(2026, 1, 29)),
        ([(Header.RECEIVED_AT.value, str(NOON_US).encode())], 2**63 - 1, date(2026, 1, 29)),
        ([], -(2**63), date(1970, 1, 1)),
    ],
)
def test_the_date_is_told_by_the_clock_that_is_left(
    headers: list[tuple[str, bytes]], timestamp: int, expected: date
) -> None:
    batch = Batch("memory", EVENTS, 0, MANY)
    batch.take([MemoryRecord(*EVENTS, 0, timestamp, None, b"", headers)], 0)
    assert batch.range.received_date == expected


def test_offsets_taken_before_are_dropped() -> None:
    log = ReadableLog()
    log.append(10)
    batch = Batch("memory", EVENTS, 4, MANY)
    assert batch.take(log.records[EVENTS][:6], 0) == (6, None)
    assert batch.take(log.records[EVENTS][3:], 0) == (7, None)
    assert batch.table()["log_offset"].to_pylist() == [4, 5, 6, 7, 8, 9]


def test_a_hole_is_left_to_the_caller_and_can_be_accounted_for() -> None:
    log = ReadableLog()
    log.append(2)
    log.skip(3)
    log.append(2)
    batch = Batch("memory", EVENTS, 0, MANY)
    records = log.records[EVENTS]
    assert batch.take(records, 0) == (2, None)
    batch.skip_to(5)
    assert batch.take(records, 2) == (4, None)
    assert spans([batch]) == [(0, 6, "2026-01-29")]
    assert batch.table()["log_offset"].to_pylist() == [0, 1, 5, 6]


def test_memory_is_counted_in_arrow_and_before() -> None:
    log = ReadableLog()
    log.append(5000, value=b"x" * 1000)
    batch = Batch("memory", EVENTS, 0, MANY)
    batch.take(log.records[EVENTS], 0)
    assert 5_000_000 < batch.memory_bytes < 8_000_000
    assert batch.table().num_rows == 5000
