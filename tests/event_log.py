"""What tests of an event log, and of whatever writes to one, share."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import uuid
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from ingest.event_log import open_reader, open_writer
from ingest.event_log.base import AppendFailed
from ingest.records import Headers, Topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator
    from pathlib import Path

    from ingest.event_log.base import EventLogWriter, LogRecord, Partition, Position
    from ingest.settings import Settings
    from tests.kafka_broker import Broker

PATIENCE_SECONDS = 30.0


class Sent(NamedTuple):
    """What an append is given and what has to come out again."""

    key: bytes | None
    value: bytes
    headers: Headers

    @classmethod
    def of(cls, record: LogRecord) -> Sent:
        """The same of a consumed record."""
        assert record.value is not None
        return cls(record.key, record.value, list(record.headers))


RECORD = Sent(b"key", b"value", [("name", b"header")])


def numbered(count: int) -> list[Sent]:
    """Records of one key with the values 0, 1, 2 and so on."""
    return [Sent(b"one key", str(number).encode(), []) for number in range(count)]


def ignore(partitions: object) -> None:
    """A rebalance that nobody cares for."""


@asynccontextmanager
async def writing(settings: Settings) -> AsyncIterator[EventLogWriter]:
    """A started writer, closed at the end."""
    writer = open_writer(settings)
    writer.start()
    try:
        yield writer
    finally:
        await writer.close()


def append_all(settings: Settings, sent: Collection[Sent], topic: str = Topic.EVENTS) -> list[Position]:
    """Append records one after the other without waiting in between, by a writer of their own."""

    async def run() -> list[Position]:
        async with writing(settings) as writer:
            return await asyncio.gather(*[writer.append(topic, *each) for each in sent])

    return asyncio.run(run())


async def taken(writer: EventLogWriter, record: Sent = RECORD) -> Position:
    """Append again and again until it is acknowledged, as a spool does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(AppendFailed):
            return await writer.append(Topic.EVENTS, *record)
        await asyncio.sleep(0.05)
    raise AssertionError(f"the log takes no record: {writer.problem()}")


def everything_in(settings: Settings) -> list[LogRecord]:
    """Every record of both topics, read by a group of its own; the records of a partition are in order."""
    reader = open_reader(settings, list(Topic), f"test-{uuid.uuid4().hex}", ignore, ignore)
    try:
        missing: set[tuple[Partition, int]] = set()
        for partition, end in reader.end_offsets(reader.partitions(list(Topic))).items():
            missing.update((partition, offset) for offset in range(end))
        records: list[LogRecord] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while missing:
            assert time.monotonic() < deadline, f"never came: {sorted(missing)[:10]}"
            for partition, found in reader.poll(1.0, 10_000).items():
                records.extend(found)
                missing.difference_update((partition, record.offset) for record in found)
        return records
    finally:
        reader.close()


def as_argument(settings: Settings) -> str:
    """The log of these settings as JSON for a child process: `Settings(**json.loads(argument))`."""
    return json.dumps({"data_dir": str(settings.data_dir), "event_log_url": settings.event_log_url})


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return once the condition holds; fail, naming what never came, after a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.01)


async def until_well(writer: EventLogWriter) -> None:
    """Return once the writer has no problem."""
    await asyncio.to_thread(wait_until, lambda: writer.problem() is None, "a log without a problem")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The embedded log, locked against every other writer."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def paused(broker: Broker) -> Iterator[None]:
    """The broker hangs: connections stay open, nothing is answered."""
    broker.pause()
    try:
        yield
    finally:
        broker.resume()
