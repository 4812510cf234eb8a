"""Log first, spool second, on both event logs: away at the start, hanging, killed, restarted, refusing."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.event_log import open_writer
from ingest.settings import Settings
from ingest.spool.writer import SpoolingWriter
from tests.event_log import everything_in, locked, paused
from tests.kafka_broker import Broker
from tests.spooling import eventually, flushed, on_the_spool, receipts_of, send, spool_files, spooling, well

TIMEOUT_SECONDS = 0.5
LONGEST_ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Log:
    """An event log that can be made to hang, or to be away, for as long as a `with` lasts."""

    settings: Settings
    hanging: Callable[[], AbstractContextManager[object]]
    away: Callable[[], AbstractContextManager[object]]


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    settings = Settings(
        data_dir=tmp_path / "data",
        event_log_url=f"sqlite:///{tmp_path / 'log' / 'event_log.db'}",
        append_timeout_seconds=TIMEOUT_SECONDS,
        spool_min_free_bytes=0,
    )
    if request.param == "sqlite":
        path = tmp_path / "log" / "event_log.db"
        return Log(settings, lambda: locked(path), lambda: _no_folder(path.parent))
    broker: Broker = request.getfixturevalue("fragile_kafka")
    settings = settings.model_copy(update={"event_log_url": broker.url})
    return Log(settings, lambda: paused(broker), lambda: _killed(broker))


@contextmanager
def _no_folder(folder: Path) -> Iterator[None]:
    """A file where the log's folder is to be."""
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()


@contextmanager
def _killed(broker: Broker) -> Iterator[None]:
    broker.kill()
    try:
        yield
    finally:
        broker.start()


def without_repeats(receipts: list[str]) -> list[str]:
    """A record may be in the log twice; of each, the first."""
    return list(dict.fromkeys(receipts))


def test_the_spool_stays_empty_while_the_log_is_well(log_settings: Settings) -> None:
    async def test() -> None:
        async with spooling(log_settings, open_writer(log_settings)) as writer:
            await asyncio.gather(*[send(writer, number) for number in range(2000)])
            assert (writer.spooled_total, writer.is_circuit_open) == (0, False)
            (path,) = spool_files(log_settings)
            with closing(sqlite3.connect(path)) as database:
                assert database.execute("SELECT sum(next_offset) FROM topics").fetchone() == (0,)
        assert not list(log_settings.spool_path.iterdir())

    asyncio.run(test())
    assert sorted(receipts_of(everything_in(log_settings))) == sorted(map(str, range(2000)))


def test_while_the_log_hangs_events_are_spooled_and_flushed_in_order_after_it(log: Log) -> None:
    async def test() -> None:
        async with spooling(log.settings, open_writer(log.settings)) as writer:
            await well(writer)
            await send(writer, "before")
            with log.hanging():
                begin = time.monotonic()
                await send(writer, 0)
                assert time.monotonic() - begin < LONGEST_ANSWER_SECONDS
                assert writer.is_circuit_open
                for number in range(1, 200):
                    await send(writer, number)
                assert on_the_spool(log.settings) == [str(number) for number in range(200)]
                assert writer.accepts()
                assert "event_log" in writer.problems()
            await flushed(writer)
            await send(writer, "after")

    asyncio.run(test())
    found = without_repeats(receipts_of(everything_in(log.settings)))
    sent = ["before", *(str(number) for number in range(200)), "after"]
    if log.settings.log_url.startswith("sqlite"):
        assert found == sent
    else:
        # A producer that is replaced may have had the end of a batch acknowledged and not its beginning.
        assert (found[0], found[-1], sorted(found)) == ("before", "after", sorted(sent))


def test_a_log_that_is_away_at_the_start_is_made_up_for_once_it_is_there(log: Log) -> None:
    async def test() -> None:
        away = log.away()
        away.__enter__()
        is_away = True
        try:
            async with spooling(log.settings, open_writer(log.settings)) as writer:
                await asyncio.gather(*[send(writer, number) for number in range(100)])
                assert sorted(on_the_spool(log.settings)) == sorted(map(str, range(100)))
                assert writer.accepts()
                is_away = False
                await asyncio.to_thread(away.__exit__, None, None, None)
                await flushed(writer)
                await well(writer)
        finally:
            if is_away:
                away.__exit__(None, None, None)

    asyncio.run(test())
    found = receipts_of(everything_in(log.settings))
    assert set(found) == set(map(str, range(100)))


def test_a_stop_while_the_log_hangs_loses_nothing_that_was_in_flight(log: Log) -> None:
    async def test() -> None:
        writer = SpoolingWriter(log.settings, open_writer(log.settings))
        writer.start()
        await well(writer)
        with log.hanging():
            calls = [asyncio.create_task(send(writer, number)) for number in range(50)]
            await asyncio.sleep(0)
            await writer.close()
            await asyncio.gather(*calls)
        assert sorted(on_the_spool(log.settings)) == sorted(map(str, range(50)))
        async with spooling(log.settings, open_writer(log.settings)) as after:
            await eventually(lambda: after.drained_total >= 50, "what the one before left")

    asyncio.run(test())
    assert set(receipts_of(everything_in(log.settings))) == set(map(str, range(50)))
    assert not list(log.settings.spool_path.iterdir())
