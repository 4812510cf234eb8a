"""Calls refused because nothing could be appended: recorded later, each under its own receipt."""

from __future__ import annotations

import asyncio

import pytest

from ingest.attempts.audit import MAX_POSTPONED, Attempts
from ingest.event_log.base import AppendFailed
from ingest.records import Reason
from tests.unit.memory_log import MemoryLog
from tests.unit.refused_calls import Clock, calls_in, refused_call, sums_of


def test_a_postponed_call_becomes_a_record_under_its_own_receipt_once_the_log_is_back() -> None:
    clock, log = Clock(), MemoryLog(failure=AppendFailed("away"))
    calls = [refused_call(reason=Reason.LOG_UNAVAILABLE, bytes_read=7) for _ in range(3)]

    async def scenario() -> None:
        attempts = Attempts(log, clock)
        for call in calls:
            attempts.postpone(call)
        await attempts._flush([])
        assert attempts.pending_calls == 3
        log.failure = None
        await attempts._flush([])
        assert attempts.pending_calls == 0
        await attempts.close()

    asyncio.run(scenario())
    assert [record.headers["receipt_id"].decode() for record in log.attempts] == [
        call.receipt_id for call in calls
    ]
    assert log.attempts[0].headers == {
        **dict(calls[0].headers),
        "reason": b"log_unavailable",
        "status": b"401",
        "body_bytes": b"7",
    }


def test_a_call_postponed_while_others_are_given_to_the_log_is_not_forgotten() -> None:
    log = MemoryLog(holding=True)

    async def scenario() -> None:
        attempts = Attempts(log, Clock())
        attempts.postpone(refused_call())
        flushing = asyncio.create_task(attempts._flush([]))
        await asyncio.sleep(0)
        attempts.postpone(refused_call())
        log.release()
        await asyncio.wait_for(flushing, 10)
        assert attempts.pending_calls == 1
        await attempts.close()

    asyncio.run(scenario())
    assert len({record.headers["receipt_id"] for record in log.attempts}) == 2


def test_postponed_calls_beyond_those_that_may_wait_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    log = MemoryLog()

    async def scenario() -> None:
        attempts = Attempts(log, Clock())
        for _ in range(MAX_POSTPONED + 5):
            attempts.postpone(refused_call(body=b"not kept"))
        assert attempts.pending_calls == MAX_POSTPONED + 5
        await attempts.close()

    asyncio.run(scenario())
    (rest,) = sums_of(log.attempts)
    assert rest.headers["calls"] == b"5"
    assert calls_in(log.attempts) == MAX_POSTPONED + 5
    assert {record.value for record in log.attempts} == {b""}
    told = sum(record.__dict__["fields"]["calls"] for record in caplog.records)
    assert told == MAX_POSTPONED + 5
