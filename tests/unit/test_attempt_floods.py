"""A flood of refused calls: records within the budget, counts beyond it, and every call in one of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.attempts.audit import BODIES_PER_SECOND, RECORDS_PER_SECOND, SUM_LINES, Attempts
from ingest.attempts.sums import MAX_SUMS
from ingest.records import Reason
from tests.unit.memory_log import MemoryLog
from tests.unit.refused_calls import SECOND, Clock, calls_in, note_all, refused_call, sums_of, written


@contextmanager
def quiet() -> Iterator[None]:
    logger = logging.getLogger("ingest.attempts.audit")
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(logging.NOTSET)


@settings(max_examples=10, deadline=None)
@given(
    addresses=st.integers(1, 1_500),
    reasons=st.lists(st.sampled_from(list(Reason)), min_size=1, max_size=4, unique=True),
    body_every=st.integers(1, 50),
    calls_a_second=st.integers(50, 10_000),
)
def test_the_records_and_counts_of_a_flood_add_up_to_every_call(
    addresses: int, reasons: list[Reason], body_every: int, calls_a_second: int
) -> None:
    clock, log = Clock(), MemoryLog()
    told: Counter[tuple[bytes, bytes]] = Counter()

    async def scenario() -> None:
        attempts = Attempts(log, clock)
        for number in range(10_000):
            clock.now = SECOND + number / calls_a_second
            body = b"body" if number % body_every == 0 else b""
            call = refused_call(
                f"192.0.2.{number % addresses}", reasons[number % len(reasons)], body, bytes_read=3
            )
            told[f"192.0.2.{number % addresses}".encode(), call.reason.encode()] += 1
            await attempts.note(call)
        await attempts.close()

    with quiet():
        asyncio.run(scenario())
    records = log.attempts
    assert calls_in(records) == 10_000
    assert sum(int(record.headers["body_bytes"]) for record in records) == 30_000
    seen: Counter[tuple[bytes, bytes]] = Counter()
    for record in records:
        if address := record.headers.get("remote_address"):
            seen[address, record.headers["reason"]] += calls_in([record])
    assert seen <= told
    if len(sums_of(records)) < MAX_SUMS:
        assert seen == told
    assert len({record.headers["receipt_id"] for record in records}) == len(records)


def test_a_flood_is_summed_by_address_reason_and_second_beyond_the_budget() -> None:
    calls = [refused_call("192.0.2.7", bytes_read=2)] * RECORDS_PER_SECOND
    calls += [refused_call("192.0.2.7", bytes_read=2)] * 7 + [
        refused_call("192.0.2.8", Reason.MISSING_API_KEY)
    ] * 5
    records = written(MemoryLog(), calls)
    assert len(records) == RECORDS_PER_SECOND + 2
    of_one, of_other = sums_of(records)
    receipt_id = of_one.headers.pop("receipt_id")
    assert len(receipt_id) == 36
    assert of_one.headers == {
        "received_at": b"%d" % (SECOND * 1_000_000),
        "envelope": b"1",
        "reason": b"wrong_api_key",
        "status": b"401",
        "body_bytes": b"14",
        "calls": b"7",
        "remote_address": b"192.0.2.7",
    }
    assert (of_one.key, of_one.value) == (None, b"")
    assert of_other.headers["remote_address"] == b"192.0.2.8"
    assert of_other.headers["calls"] == b"5"


def test_a_flood_of_strangers_does_not_push_out_the_body_of_an_authentic_caller() -> None:
    records = written(MemoryLog(), [refused_call()] * 5_000 + [refused_call(body=b"to be mended")])
    assert [record.value for record in records if record.value] == [b"to be mended"]


def test_the_bodies_of_authentic_callers_have_a_budget_too() -> None:
    records = written(MemoryLog(), [refused_call(body=b"{")] * (BODIES_PER_SECOND + 3) + [refused_call()])
    assert [int(record.headers["calls"]) for record in sums_of(records)] == [3]
    assert calls_in(records) == BODIES_PER_SECOND + 4


def test_every_second_has_a_budget_of_its_own() -> None:
    clock, log = Clock(), MemoryLog()

    async def scenario() -> None:
        attempts = Attempts(log, clock)
        for _ in range(3):
            await note_all(attempts, [refused_call()] * RECORDS_PER_SECOND)
            clock.now += 1
        await attempts.close()

    asyncio.run(scenario())
    assert len(log.attempts) == 3 * RECORDS_PER_SECOND
    assert sums_of(log.attempts) == []


def test_a_flood_from_more_addresses_than_are_kept_apart_is_summed_under_no_address() -> None:
    calls = [refused_call()] * RECORDS_PER_SECOND + [
        refused_call(f"2001:db8::{number}") for number in range(MAX_SUMS + 50)
    ]
    sums = sums_of(written(MemoryLog(), calls))
    (rest,) = [record for record in sums if "remote_address" not in record.headers]
    assert len(sums) == MAX_SUMS + 1
    assert rest.headers["calls"] == b"50"


def test_a_flood_is_logged_in_few_lines_that_tell_of_every_call(caplog: pytest.LogCaptureFixture) -> None:
    flood = [refused_call(f"192.0.2.{number}") for number in range(200) for _ in range(number + 1)]
    written(MemoryLog(), flood)
    lines = [record.__dict__["fields"] for record in caplog.records]
    assert len(lines) == RECORDS_PER_SECOND + SUM_LINES + 1
    assert sum(fields.get("calls", 1) for fields in lines) == len(flood)
    assert lines[RECORDS_PER_SECOND]["remote_address"] == "192.0.2.199"
    assert lines[-1]["sums"] == 200 - 13 - SUM_LINES
