"""Spools of dead processes: who drains them, what is left alone, and what is in the way."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ingest.event_log.base import LogUnavailable
from ingest.settings import Settings
from ingest.spool import adoption, keeper, own
from ingest.spool.file import SpoolFile, SpoolUnavailable
from ingest.spool.folders import SpoolFolder, spools_in
from tests.spooling import eventually, leave_spool, on_the_spool, send, spool_files, spooling
from tests.unit.memory_log import MemoryLog

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

AWAY = LogUnavailable("the log is away")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, append_timeout_seconds=1.0, spool_min_free_bytes=0)


def receipts(log: MemoryLog) -> list[str]:
    return [record.headers["receipt_id"].decode() for record in log.records]


def numbers(start: int, end: int) -> list[str]:
    return [str(number) for number in range(start, end)]


def test_the_spools_of_dead_processes_are_drained_oldest_first_and_removed(settings: Settings) -> None:
    for start in range(0, 3000, 1000):
        leave_spool(settings, range(start, start + 1000))
    log = MemoryLog()

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await eventually(lambda: len(log.records) == 3000, "all that was left")
            await eventually(lambda: len(spool_files(settings)) == 1, "the own spool alone")
            assert writer.spooled_records == 0

    asyncio.run(test())
    assert receipts(log) == numbers(0, 3000)
    assert not list(settings.spool_path.iterdir())


def test_more_dead_spools_than_are_held_at_a_time_are_all_drained(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "_MOST_HELD", 2)
    monkeypatch.setattr(keeper, "_ADOPT_SECONDS", 0.0)
    for number in range(5):
        leave_spool(settings, [number])
    log = MemoryLog()

    async def test() -> None:
        async with spooling(settings, log):
            await eventually(lambda: len(log.records) == 5, "all five")

    asyncio.run(test())


def test_what_a_dead_process_left_is_drained_only_once_the_log_is_back(settings: Settings) -> None:
    leave_spool(settings, range(10))
    log = MemoryLog(failure=AWAY)

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await eventually(lambda: writer.oldest_age_seconds > 0, "an adopted spool")
            assert writer.spooled_records == 10
            # Whether the log is away is for calls to find out.
            assert not writer.is_circuit_open
            await send(writer, "new")
            log.failure = None
            await eventually(lambda: len(log.records) == 11, "everything")

    asyncio.run(test())


def test_the_spool_of_a_living_process_is_left_alone(settings: Settings) -> None:
    log, other_log = MemoryLog(failure=AWAY), MemoryLog()

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await send(writer, "mine")
            async with spooling(settings, other_log) as other:
                await eventually(lambda: other._keeper._look_for_dead_at > time.monotonic(), "a look around")
                assert other.problems() == {}
            assert on_the_spool(settings) == ["mine"]
            assert not other_log.records

    asyncio.run(test())


def test_a_spool_that_can_not_be_read_is_left_in_place_and_stops_no_other(settings: Settings) -> None:
    broken = leave_spool(settings, range(10)) / "spool.db"
    content = b"this is no database" * 1000
    broken.write_bytes(content)
    leave_spool(settings, range(5))
    log = MemoryLog()

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await eventually(lambda: len(log.records) == 5, "the other spool")
            assert str(broken) in writer.problems()["spool"]
            assert writer.accepts()
            await send(writer, "new")

    asyncio.run(test())
    assert broken.read_bytes() == content


def test_a_write_ahead_log_without_its_file_is_told_and_left(settings: Settings) -> None:
    folder = leave_spool(settings, [])
    (folder / "spool.db").rename(folder / "spool.db-wal")

    async def test() -> None:
        async with spooling(settings, MemoryLog()) as writer:
            await eventually(lambda: "spool" in writer.problems(), "a problem")
            assert str(folder) in writer.problems()["spool"]

    asyncio.run(test())
    assert (folder / "spool.db-wal").exists()


def test_what_a_process_left_that_died_while_it_made_or_removed_its_spool_is_removed(
    settings: Settings,
) -> None:
    drained = leave_spool(settings, [])
    made = leave_spool(settings, [])
    (made / "spool.db").rename(made / "spool.db.abc.new")
    (made / "spool.db.abc.new-journal").touch()

    async def test() -> None:
        async with spooling(settings, MemoryLog()):
            await eventually(lambda: not made.exists() and not drained.exists(), "two removed folders")

    asyncio.run(test())


def test_folders_that_are_no_spools_are_left_alone(settings: Settings) -> None:
    other = settings.spool_path / "lost+found"
    other.mkdir(parents=True)

    async def test() -> None:
        async with spooling(settings, MemoryLog()) as writer:
            await eventually(lambda: writer._keeper._look_for_dead_at > time.monotonic(), "a look around")

    asyncio.run(test())
    assert other.exists()
    assert spools_in(settings.spool_path) == []


def test_a_held_folder_can_be_adopted_by_nobody_until_it_is_released(tmp_path: Path) -> None:
    folder = SpoolFolder.make(tmp_path, "sqlite:///log")
    assert SpoolFolder.adopt(folder.path) is None
    folder.release()
    again = SpoolFolder.adopt(folder.path)
    assert again is not None
    again.remove()
    assert SpoolFolder.adopt(folder.path) is None


def test_an_acknowledged_record_that_can_not_be_deleted_is_not_appended_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_spool(settings, range(10))
    log = MemoryLog()
    failures = 5
    settle = SpoolFile.settle

    def failing(self: SpoolFile, in_the_log: Collection[int], refused: Collection[int]) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise SpoolUnavailable("database or disk is full")
        settle(self, in_the_log, refused)

    monkeypatch.setattr(SpoolFile, "settle", failing)

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await eventually(lambda: "disk is full" in writer.problems().get("spool", ""), "a problem")
            await eventually(lambda: writer.problems() == {}, "no problem")
            assert not writer.spooled_records

    asyncio.run(test())
    assert receipts(log) == numbers(0, 10)


def test_a_row_that_can_not_be_decoded_is_set_aside(settings: Settings) -> None:
    path = leave_spool(settings, range(3)) / "spool.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE records SET headers = x'FF' WHERE value = CAST('1' AS BLOB)")
    log = MemoryLog()

    async def test() -> None:
        async with spooling(settings, log):
            await eventually(lambda: len(log.records) == 2, "the others")

    asyncio.run(test())
    assert receipts(log) == ["0", "2"]
    assert on_the_spool(settings) == ["1"]


def test_an_emptied_spool_gives_its_space_back(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "_SHRINK_BYTES", 100_000)
    log = MemoryLog(failure=AWAY)

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await asyncio.gather(*[send(writer, number, size=10_000) for number in range(200)])
            (path,) = spool_files(settings)
            log.failure = None
            await eventually(lambda: not writer.spooled_records, "a drained spool")
            await eventually(lambda: path.stat().st_size < 100_000, "a small file")
            log.failure = AWAY
            await send(writer, "more")
            assert on_the_spool(settings) == ["more"]

    asyncio.run(test())
