"""What every event log promises while it hangs: a stopped broker, a file that somebody has locked."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from ingest.event_log import open_writer
from ingest.event_log.base import AppendFailed, AppendTimeout
from ingest.event_log.sqlite_file import path_of
from ingest.records import Topic
from ingest.settings import Settings
from tests.event_log import PATIENCE_SECONDS, RECORD, everything_in, taken, until_well, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.kafka_broker import Broker

TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True)
class Log:
    """A log, and a way to make it hang for a while."""

    settings: Settings
    hanging: Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    url = ""
    if request.param == "kafka":
        broker: Broker = request.getfixturevalue("fragile_kafka")
        url = broker.url
    settings = Settings(data_dir=tmp_path, event_log_url=url, append_timeout_seconds=TIMEOUT_SECONDS)

    @contextmanager
    def locked() -> Iterator[None]:
        with closing(sqlite3.connect(path_of(settings.log_url), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def paused() -> Iterator[None]:
        broker.pause()
        try:
            yield
        finally:
            broker.resume()

    return Log(settings, paused if request.param == "kafka" else locked)


def test_an_append_times_out_and_the_event_loop_goes_on_turning(log: Log) -> None:
    longest_stop = 0.0

    async def turn() -> None:
        nonlocal longest_stop
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            longest_stop = max(longest_stop, time.monotonic() - before)

    async def run() -> None:
        async with writing(log.settings) as writer:
            await taken(writer)
            turning = asyncio.create_task(turn())
            with log.hanging():
                for _ in range(3):
                    outcomes = await asyncio.gather(
                        *[writer.append(Topic.EVENTS, *RECORD) for _ in range(500)], return_exceptions=True
                    )
                    kinds = {type(outcome) for outcome in outcomes}
                    # What a producer holds when it is given up fails at once, a little before its time is up.
                    assert AppendTimeout in kinds
                    assert kinds <= {AppendTimeout, AppendFailed}
                assert writer.problem() is not None
            turning.cancel()

    asyncio.run(run())
    # An append that waits for the log on the loop stops it for a whole time-out at least.
    assert longest_stop < TIMEOUT_SECONDS


def test_a_log_that_answers_again_takes_records_again_without_being_asked(log: Log) -> None:
    async def run() -> None:
        async with writing(log.settings) as writer:
            first = await taken(writer)
            with log.hanging():
                with pytest.raises(AppendTimeout):
                    await writer.append(Topic.EVENTS, *RECORD)
                assert writer.problem() is not None
            await until_well(writer)
            second = await taken(writer)
            found = await asyncio.to_thread(everything_in, log.settings)
            positions = [(record.topic, record.partition, record.offset) for record in found]
            assert {first, second} <= set(positions)

    asyncio.run(run())


def test_a_writer_that_starts_while_the_log_hangs_connects_as_soon_as_it_answers(log: Log) -> None:
    async def make() -> None:
        async with writing(log.settings) as writer:
            await until_well(writer)

    async def run() -> None:
        writer = open_writer(log.settings)
        with log.hanging():
            writer.start()
            with pytest.raises(AppendTimeout):
                await writer.append(Topic.EVENTS, *RECORD)
            assert writer.problem() is not None
        await until_well(writer)
        await taken(writer)
        await writer.close()

    asyncio.run(make())
    asyncio.run(run())


def test_close_ends_in_time_while_the_log_hangs(log: Log) -> None:
    async def run() -> None:
        writer = open_writer(log.settings)
        writer.start()
        await taken(writer)
        with log.hanging():
            futures = [writer.append(Topic.EVENTS, *RECORD) for _ in range(10)]
            await asyncio.wait_for(writer.close(), PATIENCE_SECONDS)
            assert {type(future.exception()) for future in futures} == {AppendTimeout}

    asyncio.run(run())
