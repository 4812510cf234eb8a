"""A log that is away in part only, or for some records: the rest goes on, and nothing waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ingest.event_log.base import AppendTimeout, Position
from ingest.records import Headers, Topic
from ingest.settings import Settings
from ingest.spool import draining
from ingest.spool.writer import SpoolingWriter
from tests.spooling import eventually, headers_of, on_the_spool, send, spooling
from tests.unit.memory_log import MemoryLog

LOST = b"lost"
WELL = b"well"


@dataclass
class PartlyAway(MemoryLog):
    """Does not acknowledge records of these keys or topics; raises `fault`, once, out of turn."""

    away: set[object] = field(default_factory=lambda: {LOST})
    fault: Exception | None = None
    patience_seconds: float = 0.0

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> asyncio.Future[Position]:
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        if {key, topic} & self.away:
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[Position] = loop.create_future()
            loop.call_later(self.patience_seconds, answer.set_exception, AppendTimeout("partition 3 is away"))
            return answer
        return super().append(topic, key, value, headers)

    @property
    def receipts(self) -> set[str]:
        return {record.headers["receipt_id"].decode() for record in self.records}


@pytest.fixture
def log() -> PartlyAway:
    return PartlyAway()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, append_timeout_seconds=0.5, spool_min_free_bytes=0)


def run(test: Awaitable[None]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test, 30)

    asyncio.run(bounded())


async def event(writer: SpoolingWriter, receipt: str, key: bytes) -> None:
    await writer.append(Topic.EVENTS, key, receipt.encode(), headers_of(receipt))


def test_while_others_are_acknowledged_one_that_fails_opens_nothing(
    settings: Settings, log: PartlyAway
) -> None:
    async def test() -> None:
        async with spooling(settings, log) as writer:
            log.patience_seconds = 0.1
            await asyncio.gather(event(writer, "lost", LOST), event(writer, "well", WELL))
            assert on_the_spool(settings) == ["lost"]
            assert not writer.is_circuit_open
            # Nor does the drain, which tries the lost one again.
            await eventually(lambda: "partition 3" in writer.problems().get("spool", ""), "words about it")
            assert not writer.is_circuit_open
            assert writer.accepts()
            assert log.receipts == {"well"}

    run(test())
    assert on_the_spool(settings) == ["lost"]


def test_a_record_that_is_never_acknowledged_holds_up_none_behind_it(
    settings: Settings, log: PartlyAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(draining, "RETRY_STUCK_SECONDS", 0.05)

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await event(writer, "lost", LOST)
            assert writer.is_circuit_open
            for number in range(300):
                await event(writer, str(number), WELL)
            await eventually(lambda: len(log.receipts) == 300, "all that the log takes")
            await eventually(lambda: not writer.is_circuit_open, "a closed circuit")
            await eventually(lambda: writer.spooled_records == 1, "all else to be off the spool")
            assert on_the_spool(settings) == ["lost"]
            await eventually(lambda: "partition 3" in writer.problems().get("spool", ""), "words about it")
            log.away = set()
            await eventually(lambda: "lost" in log.receipts, "the record once its partition is back")
            await eventually(lambda: not writer.spooled_records, "an empty spool")

    run(test())


def test_refused_calls_that_can_not_be_recorded_do_not_keep_events_from_the_log(
    settings: Settings, log: PartlyAway
) -> None:
    log.away = {str(Topic.ATTEMPTS)}

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await send(writer, "attempt", Topic.ATTEMPTS)
            assert not writer.is_circuit_open
            await send(writer, "event")
            assert log.receipts == {"event"}

    run(test())
    assert on_the_spool(settings) == ["attempt"]


def test_a_fault_of_ours_does_not_end_the_drain(
    settings: Settings, log: PartlyAway, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with spooling(settings, log) as writer:
            await event(writer, "lost", LOST)
            log.away, log.fault = set(), KeyError("no such topic")
            await eventually(lambda: "lost" in log.receipts, "the record")
            await eventually(lambda: not writer.problems(), "a spool that is well")

    run(test())
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 1
