"""Log first, spool second: what goes where while the log is well, away, back, or refuses one record."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from ingest.event_log.base import (
    AppendFailed,
    AppendTimeout,
    EventLogError,
    LogUnavailable,
)
from ingest.records import Topic
from ingest.settings import Settings
from ingest.spool.file import SpoolUnavailable
from ingest.spool.writer import SpoolingWriter
from tests.spooling import eventually, on_the_spool, send, spool_files, spooling
from tests.unit.spool_logs import BatchLog, PickyLog

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path


AWAY = LogUnavailable("the log is away")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, append_timeout_seconds=1.0, spool_min_free_bytes=0)


def run(test: Awaitable[None]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test, 30)

    asyncio.run(bounded())


def test_the_spool_stays_empty_while_the_log_is_well(settings: Settings) -> None:
    log = PickyLog()

    async def test() -> None:
        async with spooling(settings, log) as writer:
            for number in range(300):
                await send(writer, number)
            (path,) = spool_files(settings)
            with closing(sqlite3.connect(path)) as database:
                assert database.execute("SELECT sum(next_offset) FROM topics").fetchone() == (0,)
            assert (writer.spooled_total, writer.spooled_records, writer.is_circuit_open) == (0, 0, False)
            assert writer.problems() == {}
        assert log.closed

    run(test())
    assert log.receipts == [str(number) for number in range(300)]
    assert not list(settings.spool_path.iterdir())


@pytest.mark.parametrize("failure", [AppendFailed("refused"), AppendTimeout("hangs"), AWAY])
def test_what_the_log_does_not_take_is_on_the_spool_and_in_the_log_once_it_is_back(
    settings: Settings, failure: EventLogError
) -> None:
    log = PickyLog(failure=failure)

    async def test() -> None:
        async with spooling(settings, log) as writer:
            for number in range(600):
                await send(writer, number)
            assert writer.is_circuit_open
            assert on_the_spool(settings) == [str(number) for number in range(600)]
            assert (writer.spooled_total, writer.spooled_records) == (600, 600)
            assert writer.problems()["event_log"] == str(failure)
            assert writer.accepts()
            await eventually(lambda: writer.oldest_age_seconds > 0, "an age")

            log.failure = None
            await eventually(lambda: not writer.spooled_records, "a drained spool")
            await eventually(lambda: not writer.is_circuit_open, "a closed circuit")
            assert writer.problems() == {}
            assert writer.drained_total == 600
            assert (writer.spooled_bytes, writer.oldest_age_seconds) == (0, 0)
            await send(writer, "after")

    run(test())
    assert log.receipts == [*(str(number) for number in range(600)), "after"]
    assert log.records[0].headers["other"] == b"\xff\x00"
    assert log.records[0].key == b"key"
    assert not list(settings.spool_path.iterdir())


def test_while_the_circuit_is_open_no_call_asks_the_log(settings: Settings) -> None:
    log = PickyLog(failure=AWAY)

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await send(writer, "first")
            asked = log.asked
            await asyncio.gather(*[send(writer, number) for number in range(1000)])
            # The drain asks, one record at a time, less and less often.
            assert log.asked - asked < 20

    run(test())


def test_the_circuit_closes_by_itself_soon_after_the_log_is_back(settings: Settings) -> None:
    log = PickyLog(failure=AWAY)

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await send(writer, "away")
            await eventually(lambda: log.asked > 3, "probes")
            log.failure = None
            await eventually(lambda: not writer.is_circuit_open, "a closed circuit")
            await send(writer, "back")
            await eventually(lambda: len(log.records) == 2, "both")

    run(test())


def test_a_record_that_the_log_refuses_stays_on_the_spool_and_blocks_nothing(settings: Settings) -> None:
    log = PickyLog(refused={b"poison"})

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await send(writer, "poison")
            assert not writer.is_circuit_open
            log.failure = AWAY
            await send(writer, "behind")
            log.failure = None
            await eventually(lambda: "behind" in log.receipts, "the record behind it")
            await eventually(lambda: "spool" in writer.problems(), "a problem")
            assert "1 records of" in writer.problems()["spool"]
            assert writer.accepts()
            await eventually(lambda: writer.spooled_records == 1, "the record behind it to be off the spool")

    run(test())
    assert on_the_spool(settings) == ["poison"]

    log.refused.clear()

    async def again() -> None:
        async with spooling(settings, log):
            await eventually(lambda: "poison" in log.receipts, "the record, which is not refused any more")

    run(again())
    assert on_the_spool(settings) == []


def test_of_a_refused_batch_only_the_record_at_fault_stays(settings: Settings) -> None:
    log = BatchLog(failure=AWAY, refused={b"poison"})

    async def test() -> None:
        async with spooling(settings, log) as writer:
            for receipt in (0, 1, "poison", 2, 3):
                await send(writer, receipt)
            log.failure = None
            await eventually(lambda: len(log.records) == 4, "all others")
            await eventually(lambda: writer.spooled_records == 1, "one left")

    run(test())
    assert on_the_spool(settings) == ["poison"]
    assert sorted(log.receipts) == ["0", "1", "2", "3"]


def test_without_log_and_spool_an_append_raises_until_one_of_them_is_there(settings: Settings) -> None:
    settings.spool_path.touch()
    log = PickyLog(failure=AWAY, trouble="away")

    async def test() -> None:
        writer = SpoolingWriter(settings, log)
        writer.start()
        try:
            await eventually(lambda: "File exists" in writer.problems()["spool"], "a named problem")
            with pytest.raises(SpoolUnavailable, match="File exists"):
                await send(writer, "lost")
            assert writer.problems().keys() == {"event_log", "spool"}
            assert not writer.accepts()

            # Nothing is on the spool to try the log with, so that a call has to.
            log.failure = log.trouble = None
            async with asyncio.timeout(10):
                while writer.is_circuit_open:
                    with suppress(SpoolUnavailable):
                        await send(writer, "again")
                    await asyncio.sleep(0.01)
            settings.spool_path.unlink()
            await eventually(lambda: writer.problems() == {}, "a spool")
        finally:
            await writer.close()

    run(test())
    assert log.receipts == ["again"]


def test_a_closed_writer_has_left_the_rest_on_the_spool_for_the_next(settings: Settings) -> None:
    log = PickyLog(failure=AWAY)

    async def test() -> None:
        async with spooling(settings, log) as writer:
            for number in range(10):
                await send(writer, number)

    run(test())
    assert on_the_spool(settings) == [str(number) for number in range(10)]
    log.failure = None

    async def again() -> None:
        async with spooling(settings, log) as writer:
            await eventually(lambda: len(log.records) == 10, "what the one before left")
            assert not writer.is_circuit_open

    run(again())
    assert log.receipts == [str(number) for number in range(10)]
    assert not list(settings.spool_path.iterdir())


def test_attempts_are_drained_too_and_behind_events(settings: Settings) -> None:
    log = PickyLog(failure=AWAY)

    async def spool_both() -> None:
        async with spooling(settings, log) as writer:
            await send(writer, "attempt", Topic.ATTEMPTS)
            await send(writer, "event")

    async def drain() -> None:
        async with spooling(settings, log):
            await eventually(lambda: len(log.records) == 2, "both")

    run(spool_both())
    log.failure = None
    run(drain())
    assert log.receipts == ["event", "attempt"]
