"""The embedded log and its file: where it is, when it is no log, when it is gone, when the disk is full."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ingest.event_log import open_reader, open_writer
from ingest.event_log.base import AppendFailed, AppendTimeout, LogUnavailable
from ingest.records import Topic
from ingest.settings import Settings
from tests.event_log import (
    PATIENCE_SECONDS,
    RECORD,
    append_all,
    as_argument,
    everything_in,
    ignore,
    taken,
    until_well,
    writing,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def file(settings: Settings) -> Path:
    """The log's file, in a folder that is there."""
    settings.data_dir.mkdir()
    return settings.data_dir / "event_log.db"


@pytest.mark.parametrize(
    "name", ["log.db", "deep/er/log.db", "with space.db", "odd#?%20&.db", "\N{SNOWMAN}.db"]
)
@pytest.mark.parametrize("absolute", [True, False])
def test_the_address_names_the_file_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, absolute: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / name}" if absolute else f"sqlite:///{name}"
    append_all(Settings(event_log_url=url), [RECORD])
    assert (tmp_path / name).is_file()


def test_a_file_that_is_something_else_is_never_written_to(settings: Settings, file: Path) -> None:
    file.write_bytes(b"not a database" * 1000)

    async def run() -> None:
        async with writing(settings) as writer:
            with pytest.raises(AppendFailed, match=r"event_log\.db"):
                await writer.append(Topic.EVENTS, *RECORD)
            assert "event_log.db" in (writer.problem() or "")

    asyncio.run(run())
    with pytest.raises(LogUnavailable, match=r"event_log\.db"):
        open_reader(settings, [Topic.EVENTS], "group", ignore, ignore)
    assert file.read_bytes() == b"not a database" * 1000


def test_a_database_of_something_else_is_refused_with_what_to_do(settings: Settings, file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE nights (id INTEGER)")
    with pytest.raises(LogUnavailable, match="ASLEEP_EVENT_LOG_URL"):
        open_reader(settings, [Topic.EVENTS], "group", ignore, ignore)


def test_a_writer_goes_on_once_what_was_in_its_way_is_gone(settings: Settings) -> None:
    settings.data_dir.write_text("a file where the folder should be", encoding="utf-8")

    async def run() -> None:
        async with writing(settings) as writer:
            with pytest.raises(AppendFailed, match="event_log"):
                await writer.append(Topic.EVENTS, *RECORD)
            await asyncio.to_thread(settings.data_dir.unlink)
            await until_well(writer)
            await writer.append(Topic.EVENTS, *RECORD)

    asyncio.run(run())
    assert len(everything_in(settings)) == 1


def test_nothing_is_acknowledged_into_a_file_that_was_removed(settings: Settings, file: Path) -> None:
    async def run() -> None:
        async with writing(settings) as writer:
            await writer.append(Topic.EVENTS, *RECORD)
            await asyncio.to_thread(file.unlink)
            for _ in range(2):
                with pytest.raises(AppendFailed, match="removed or replaced"):
                    await writer.append(Topic.EVENTS, *RECORD)
            assert "restart" in (writer.problem() or "")

    asyncio.run(run())


def test_an_append_that_timed_out_behind_a_lock_is_not_written_after_all(
    settings: Settings, file: Path
) -> None:
    impatient = settings.model_copy(update={"append_timeout_seconds": 0.4})

    async def run() -> None:
        writer = open_writer(impatient)
        writer.start()
        await until_well(writer)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            first = writer.append(Topic.EVENTS, *RECORD)
            # Comes while the writer waits for the lock with the first, and times out while it waits again.
            await asyncio.sleep(0.2)
            second = writer.append(Topic.EVENTS, *RECORD)
            outcomes = await asyncio.gather(first, second, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [AppendTimeout, AppendTimeout]
        await until_well(writer)
        await writer.append(Topic.EVENTS, b"after", b"", [])
        await writer.close()

    asyncio.run(run())
    assert [record.key for record in everything_in(settings)] == [b"after"]


_FULL_DISK = """
import asyncio, json, os, resource, sys
from ingest.event_log import open_writer
from ingest.event_log.base import AppendFailed
from ingest.settings import Settings

async def main():
    writer = open_writer(Settings(**json.loads(sys.argv[1])))
    writer.start()
    acknowledged = 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
    try:
        while True:
            await writer.append("asleep.events", b"%d" % acknowledged, os.urandom(50_000), [])
            acknowledged += 1
    except AppendFailed as error:
        full = [str(error), writer.problem()]
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    while writer.problem() is not None:
        await asyncio.sleep(0.01)
    await writer.append("asleep.events", b"after", b"", [])
    await writer.close()
    print(json.dumps([acknowledged, *full]))

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes on Windows")
def test_a_full_disk_refuses_records_and_is_forgotten_once_there_is_room(settings: Settings) -> None:
    command = [sys.executable, "-c", _FULL_DISK, as_argument(settings)]
    acknowledged, error, problem = json.loads(subprocess.check_output(command, timeout=PATIENCE_SECONDS))
    assert acknowledged > 0
    assert "event_log.db" in error
    assert "event_log.db" in problem
    keys = [record.key for record in everything_in(settings)]
    assert keys[:acknowledged] == [str(number).encode() for number in range(acknowledged)]
    assert keys[-1] == b"after"


def test_a_poll_of_large_bodies_is_cut_short_and_the_next_one_goes_on(settings: Settings) -> None:
    megabyte = RECORD._replace(value=b"x" * 2**20)
    append_all(settings, [megabyte] * 20)
    with closing(open_reader(settings, [Topic.EVENTS], "group", ignore, ignore)) as reader:
        polled = [sum(map(len, reader.poll(1, 1000).values())) for _ in range(2)]
    assert polled == [16, 4]


def test_a_record_that_breaks_the_writer_fails_with_its_batch_and_stops_nothing(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with writing(settings) as writer:
            await until_well(writer)
            with pytest.raises(AppendFailed, match="UnicodeEncodeError"):
                await asyncio.wait_for(writer.append("\ud800", *RECORD), PATIENCE_SECONDS)
            assert "UnicodeEncodeError" in (writer.problem() or "")
            await taken(writer)
            assert writer.problem() is None

    asyncio.run(run())
    (told,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert told.exc_info
