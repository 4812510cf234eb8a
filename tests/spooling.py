"""What tests of the spool share: a writer with a spool, and what is on disk behind it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

from ingest.event_log.sqlite_file import open_file, path_of
from ingest.event_log.sqlite_writer import SqliteWriter
from ingest.records import Topic
from ingest.spool.file import SpoolFile
from ingest.spool.folders import SpoolFolder, log_address
from ingest.spool.writer import SpoolingWriter
from tests.event_log import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from ingest.event_log.base import EventLogWriter, LogRecord
    from ingest.records import Headers
    from ingest.settings import Settings


def headers_of(receipt: object) -> Headers:
    """The headers of a record with this receipt."""
    return [("receipt_id", str(receipt).encode()), ("other", b"\xff\x00")]


async def send(writer: SpoolingWriter, receipt: object, topic: str = Topic.EVENTS, size: int = 5) -> None:
    """Append one record whose value and receipt tell it from all others."""
    await writer.append(topic, b"key", f"{receipt}".ljust(size).encode(), headers_of(receipt))


def receipts_of(records: Iterable[LogRecord]) -> list[str]:
    """The receipts of consumed records, in their order."""
    return [dict(record.headers)["receipt_id"].decode() for record in records]


async def eventually(condition: Callable[[], bool], what: str) -> None:
    """Return once the condition holds; fail, naming what never came, after a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def spooling(settings: Settings, log: EventLogWriter) -> AsyncIterator[SpoolingWriter]:
    """A started writer whose spool is open, closed at the end."""
    writer = SpoolingWriter(settings, log)
    writer.start()
    try:
        await eventually(lambda: _has_a_spool(writer), "an open spool")
        yield writer
    finally:
        await writer.close()


def _has_a_spool(writer: SpoolingWriter) -> bool:
    store = writer._keeper.store
    return store is not None and store.problem() is None


def spool_files(settings: Settings) -> list[Path]:
    """The files of all spools, oldest first."""
    return sorted(settings.spool_path.glob("*/spool.db"))


def on_the_spool(settings: Settings) -> list[str]:
    """Receipts of everything that is on the spools, refused records last."""
    found = []
    for path in spool_files(settings):
        with closing(sqlite3.connect(path)) as database:
            rows = database.execute("SELECT value FROM records ORDER BY position").fetchall()
            found += [value.decode().strip() for (value,) in rows]
    return found


def make_log(settings: Settings) -> None:
    """Make the embedded log of the settings, if theirs is one."""
    if settings.log_url.startswith("sqlite:///"):
        open_file(path_of(settings.log_url), PATIENCE_SECONDS).close()


def leave_spool(settings: Settings, receipts: Iterable[object]) -> Path:
    """The spool of a process that died with these events on it."""

    async def run() -> Path:
        folder = SpoolFolder.make(settings.spool_path, log_address(settings))
        SpoolFile(folder.file, 5.0).make()
        url = f"sqlite:///{folder.file}"
        writer = SqliteWriter(settings.model_copy(update={"event_log_url": url}))
        writer.start()
        await asyncio.gather(
            *[writer.append(Topic.EVENTS, b"key", f"{each}".encode(), headers_of(each)) for each in receipts]
        )
        await writer.close()
        folder.release()
        return folder.path

    return asyncio.run(run())


async def flushed(writer: SpoolingWriter) -> None:
    """Return once all that was spooled is in the log and calls go to it again."""
    await eventually(lambda: not writer.spooled_records and not writer.is_circuit_open, "a drained spool")


async def well(writer: SpoolingWriter) -> None:
    await eventually(lambda: writer.problems() == {}, "a log without a problem")
