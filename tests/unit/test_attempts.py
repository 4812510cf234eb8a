"""Refused calls: a record each, or a count where the log does not take it, and never neither."""

from __future__ import annotations

import asyncio
import logging

import pytest

from ingest.attempts.audit import RECORDS_PER_SECOND, Attempts
from ingest.attempts.sums import MAX_SUMS
from ingest.event_log.base import AppendFailed
from ingest.records import Headers, Reason
from tests.unit.memory_log import MemoryLog
from tests.unit.refused_calls import SECOND, Clock, calls_in, note_all, refused_call, sums_of, until, written


def test_a_refused_call_becomes_a_record_with_what_was_known_of_it() -> None:
    call = refused_call(reason=Reason.BODY_NOT_JSON, body=b"no json", bytes_read=7)
    (record,) = written(MemoryLog(), [call])
    assert (record.key, record.value) == (None, b"no json")
    assert record.headers == {
        **dict(call.headers),
        "reason": b"body_not_json",
        "status": b"401",
        "body_bytes": b"7",
    }


def test_the_record_is_durable_before_the_caller_is_answered() -> None:
    log = MemoryLog(holding=True)

    async def scenario() -> None:
        noting = asyncio.create_task(Attempts(log, Clock()).note(refused_call()))
        await asyncio.sleep(0)
        assert len(log.attempts) == 1
        assert not noting.done()
        log.release()
        await asyncio.wait_for(noting, 5)

    asyncio.run(scenario())


def test_the_counts_of_a_second_are_written_once_it_is_over_and_not_before() -> None:
    clock, log = Clock(SECOND + 0.999), MemoryLog()

    async def scenario() -> None:
        attempts = Attempts(log, clock)
        attempts.start()
        await note_all(attempts, [refused_call()] * (RECORDS_PER_SECOND + 4))
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert sums_of(log.attempts) == []
        clock.now = SECOND + 1.999
        await until(lambda: bool(sums_of(log.attempts)))
        await asyncio.wait_for(attempts.close(), 10)

    asyncio.run(scenario())
    assert [record.headers["calls"] for record in sums_of(log.attempts)] == [b"4"]


def test_a_call_that_the_log_does_not_take_is_counted_and_the_count_is_given_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, log = Clock(SECOND + 0.999), MemoryLog(failure=AppendFailed("refused"))

    async def scenario() -> None:
        attempts = Attempts(log, clock)
        await note_all(attempts, [refused_call()] * 3)
        clock.now += 1
        attempts.start()
        await until(lambda: "counts of refused calls not recorded yet" in caplog.messages)
        assert attempts.pending_calls == 3
        log.failure = None
        await asyncio.wait_for(attempts.close(), 10)
        assert attempts.pending_calls == 0

    asyncio.run(scenario())
    assert [record.headers["calls"] for record in log.attempts] == [b"3"]


class ForgetfulWriter:
    """Takes every record, and says of the first that it did not."""

    def __init__(self) -> None:
        self.given: list[dict[str, bytes]] = []

    async def append(
        self,
        topic: str,  # noqa: ARG002  a writer's names
        key: bytes | None,  # noqa: ARG002  as above
        value: bytes,  # noqa: ARG002  as above
        headers: Headers,
    ) -> None:
        self.given.append(dict(headers))
        if len(self.given) == 1:
            raise AppendFailed("no acknowledgement")


def test_a_count_that_is_given_again_is_the_same_record_whatever_came_meanwhile() -> None:
    clock, writer = Clock(SECOND + 0.999), ForgetfulWriter()

    async def scenario() -> None:
        attempts = Attempts(writer, clock)
        attempts.count(refused_call())
        clock.now += 1
        attempts.start()
        await until(lambda: bool(writer.given))
        attempts.count(refused_call())
        await asyncio.wait_for(attempts.close(), 10)

    asyncio.run(scenario())
    first, *later = writer.given
    assert first in later
    assert sorted(given["calls"] for given in later) == [b"1", b"1"]
    assert len({given["receipt_id"] for given in later}) == 2


def test_what_waits_for_a_log_that_stays_away_is_bounded_and_complete() -> None:
    clock, log = Clock(SECOND + 0.999), MemoryLog(failure=AppendFailed("away"))
    seconds, addresses = 6, 700

    async def scenario() -> None:
        attempts = Attempts(log, clock)
        for second in range(seconds):
            clock.now = SECOND + second + 0.5
            for number in range(addresses):
                attempts.count(refused_call(f"192.0.2.{number}"))
            await attempts._flush(attempts._sums.take())
            assert len(attempts._unsent) <= MAX_SUMS + 1
        assert attempts.pending_calls == seconds * addresses
        log.failure = None
        await attempts.close()
        assert attempts.pending_calls == 0

    asyncio.run(scenario())
    assert calls_in(log.attempts) == seconds * addresses
    (rest,) = [record for record in log.attempts if "remote_address" not in record.headers]
    assert rest.headers["received_at"] == b"%d" % ((SECOND + 1) * 1_000_000)


class BrokenWriter:
    """Fails as no writer should."""

    async def append(self, *_: object, **__: object) -> None:
        raise ZeroDivisionError


def test_a_fault_of_ours_in_the_background_shows_as_a_problem_and_at_the_end() -> None:
    clock = Clock(SECOND + 0.999)

    async def scenario() -> None:
        attempts = Attempts(BrokenWriter(), clock)
        attempts.count(refused_call())
        clock.now += 1
        attempts.start()
        assert attempts.problem() is None
        await until(lambda: attempts.problem() is not None)
        with pytest.raises(ZeroDivisionError):
            await attempts.close()

    asyncio.run(scenario())


def test_counts_that_can_not_be_written_at_the_end_are_an_error_with_their_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = MemoryLog(failure=AppendFailed("refused"))

    async def scenario() -> None:
        attempts = Attempts(log, Clock())
        await note_all(attempts, [refused_call()] * 3)
        await attempts.close()

    asyncio.run(scenario())
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert error.__dict__["fields"] == {"calls": 3}


def test_each_recorded_call_is_one_warning_without_its_body(caplog: pytest.LogCaptureFixture) -> None:
    call = refused_call(body=b"secret-body", bytes_read=11)
    written(MemoryLog(), [call])
    (line,) = caplog.records
    assert (line.levelno, line.getMessage()) == (logging.WARNING, "call refused")
    assert line.__dict__["fields"] == {
        "receipt_id": call.receipt_id,
        "reason": "wrong_api_key",
        "status": 401,
        "path": "/webhook",
        "remote_address": "192.0.2.7",
        "body_bytes": 11,
    }
