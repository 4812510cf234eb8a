"""Room on the disk of the spools: what is kept in reserve, given up, and counted of the dead."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from typing import TYPE_CHECKING

import pytest

from ingest.event_log.base import LogUnavailable
from ingest.records import Topic
from ingest.settings import Settings
from ingest.spool import adoption
from ingest.spool.file import RESERVE_BYTES, SpoolFile, SpoolUnavailable
from ingest.spool.folders import EMPTY_BYTES, SpoolFolder
from ingest.spool.holding import Bounds, Holding, SpoolFull
from ingest.spool.writer import SpoolingWriter
from tests.spooling import eventually, leave_spool, on_the_spool, send, spool_files, spooling
from tests.unit.memory_log import MemoryLog
from tests.unit.spool_logs import PickyLog

if TYPE_CHECKING:
    from pathlib import Path

AWAY = LogUnavailable("the log is away")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, append_timeout_seconds=1.0, spool_min_free_bytes=0)


@pytest.fixture
def file(tmp_path: Path) -> SpoolFile:
    file = SpoolFile(tmp_path / "spool.db", 1.0)
    file.make()
    return file


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_reserve_takes_no_room_that_is_to_stay_free(file: SpoolFile, tmp_path: Path) -> None:
    problem = file.fill_reserve(1 << 60)
    assert problem is not None
    assert "ASLEEP_SPOOL_MIN_FREE_BYTES" in problem
    assert names_in(tmp_path) == {"spool.db"}
    assert file.fill_reserve(0) is None
    assert file.reserve.stat().st_size == RESERVE_BYTES


def test_a_reserve_that_the_disk_refuses_gives_back_what_it_got(
    file: SpoolFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(descriptor: int, _: int, size: int) -> None:
        os.truncate(descriptor, size // 2)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", half)
    problem = file.fill_reserve(0)
    assert problem is not None
    assert "No space left" in problem
    assert names_in(tmp_path) == {"spool.db"}


def test_a_spool_without_room_for_a_reserve_takes_events_and_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.spool.file.RESERVE_BYTES", 1 << 60)
    log = MemoryLog()

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await eventually(lambda: "no reserve" in writer.problems().get("spool", ""), "a told trouble")
            log.failure = AWAY
            await send(writer, "taken")
            assert on_the_spool(settings) == ["taken"]
            log.failure = None
            await eventually(lambda: len(log.records) == 1, "a drained spool")
            monkeypatch.setattr("ingest.spool.file.RESERVE_BYTES", 4096)
            await eventually(lambda: writer.problems() == {}, "a reserve")

    asyncio.run(test())


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN])
@pytest.mark.parametrize("of_another", [False, True])
def test_reserves_are_given_up_to_open_a_spool(
    file: SpoolFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, of_another: bool
) -> None:
    keeper_of_reserve = tmp_path / "another" if of_another else tmp_path
    keeper_of_reserve.mkdir(exist_ok=True)
    reserve = keeper_of_reserve / "reserve"
    reserve.touch()
    opened = SpoolFile(file.path, 1.0, tmp_path / "another")
    open_file = "ingest.spool.file.open_file"
    from ingest.event_log.sqlite_file import open_file as really  # noqa: PLC0415  what the patch stands before

    def on_a_full_disk(path: Path, patience_seconds: float) -> sqlite3.Connection:
        if reserve.exists():
            error = sqlite3.OperationalError("no room")
            error.sqlite_errorcode = code
            raise error
        return really(path, patience_seconds)

    monkeypatch.setattr(open_file, on_a_full_disk)
    assert opened.left() == (None, 0)
    opened.close()
    assert not reserve.exists()
    reserve.touch()
    monkeypatch.setattr("ingest.spool.file._lacks_room", lambda _: False)
    with pytest.raises(SpoolUnavailable):
        opened.left()
    assert reserve.exists()


def test_an_adopted_spool_keeps_no_reserve(settings: Settings) -> None:
    path = leave_spool(settings, ["one"])
    (path / "reserve").write_bytes(bytes(100))
    spool = adoption.adopt(path, 1.0, None)
    assert spool is not None
    assert not (path / "reserve").exists()
    assert spool.holding.records == 1
    adoption.give_back(spool)


def test_spools_of_the_dead_are_drained_although_none_can_be_made(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_spool(settings, range(3))
    log = MemoryLog()

    def full(*_: object) -> SpoolFolder:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SpoolFolder, "make", full)

    async def test() -> None:
        writer = SpoolingWriter(settings, log)
        writer.start()
        await eventually(lambda: len(log.records) == 3, "what the dead left")
        await eventually(lambda: not spool_files(settings), "a removed spool")
        assert "No space left" in writer.problems()["spool"]
        await writer.close()

    asyncio.run(test())


def test_what_the_dead_left_is_shared_out_among_the_living(tmp_path: Path) -> None:
    dead = SpoolFolder.make(tmp_path, "")
    dead.file.write_bytes(bytes(EMPTY_BYTES + 1000))
    dead.release()
    living = [SpoolFolder.make(tmp_path, "") for _ in range(2)]
    bounds, holding = Bounds(600, 0), Holding()
    bounds.look_at(tmp_path)
    bounds.check(holding, Topic.EVENTS, 100)
    with pytest.raises(SpoolFull, match="share of the spools of the dead is 500"):
        bounds.check(holding, Topic.EVENTS, 101)
    assert bounds.problem(holding) is not None
    living.pop().release()
    bounds.look_at(tmp_path)
    with pytest.raises(SpoolFull):
        bounds.check(holding, Topic.EVENTS, 1)
    dead.file.unlink()
    bounds.look_at(tmp_path)
    assert bounds.problem(holding) is None
    bounds.check(holding, Topic.EVENTS, 600)
    for folder in living:
        folder.release()


def test_lives_that_end_in_an_outage_do_not_get_beyond_the_bound_together(settings: Settings) -> None:
    bounded = settings.model_copy(update={"spool_max_bytes": 200_000})

    async def life() -> None:
        async with spooling(bounded, MemoryLog(failure=AWAY)) as writer:
            sends = [send(writer, number, size=20_000) for number in range(100)]
            assert any(isinstance(x, SpoolFull) for x in await asyncio.gather(*sends, return_exceptions=True))

    asyncio.run(life())
    assert len(on_the_spool(settings)) > 5

    async def next_life() -> None:
        writer = SpoolingWriter(bounded, MemoryLog(failure=AWAY, trouble="away"))
        writer.start()
        await eventually(lambda: writer._keeper.store is not None, "a spool")
        with pytest.raises(SpoolFull, match="of the dead"):
            await send(writer, "more", size=150_000)
        await writer.close()

    asyncio.run(next_life())


def test_given_up_appends_count_no_more_although_the_log_refuses_a_record(settings: Settings) -> None:
    log = PickyLog(refused={b"big"})

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await send(writer, "big")
            await eventually(lambda: writer._keeper.spools().__next__().refused == 1, "a refusal")
            counted = writer.spooled_bytes
            for _ in range(5):
                writer._keeper.spools().__next__().holding.add(Topic.EVENTS, 1000)
            await eventually(lambda: writer.spooled_bytes == counted, "a count of what is there")
            assert writer.spooled_records == 1

    asyncio.run(test())
