"""What is accepted and still on a spool is not landed: `verify` says so, and disturbs no spool."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ingest.event_log.base import LogUnavailable
from ingest.records import Topic
from ingest.verify import VerifyReport, verify
from tests.spooling import leave_spool, on_the_spool, send, spool_files, spooling
from tests.unit.memory_landing import settings_of
from tests.unit.memory_log import MemoryLog
from tests.unit.memory_reader import ReadableLog

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path, spool_min_free_bytes=0)


def check(settings: Settings) -> VerifyReport:
    return verify(settings, connect=ReadableLog().connect)


def test_what_dead_receivers_left_on_their_spools_is_told_with_its_place_and_its_remedy(
    settings: Settings,
) -> None:
    folders = [leave_spool(settings, ["one", "two"]), leave_spool(settings, ["three"])]
    report = check(settings)
    assert not report.ok
    for folder, count, problem in zip(folders, (2, 1), report.problems, strict=True):
        assert f"{folder}/spool.db: {count} accepted records are not in the log yet" in problem
        assert "asleep drain" in problem
    assert on_the_spool(settings) == ["one", "two", "three"]


def test_what_a_living_receiver_holds_is_told_and_it_goes_on_undisturbed(settings: Settings) -> None:
    async def run() -> None:
        async with spooling(settings, MemoryLog(failure=LogUnavailable("away"))) as writer:
            await send(writer, "event")
            await send(writer, "attempt", topic=Topic.ATTEMPTS)
            report = await asyncio.to_thread(check, settings)
            assert [": 2 accepted records" in problem for problem in report.problems] == [True]
            await send(writer, "another")
            assert writer.problems().keys() == {"event_log"}

    asyncio.run(run())
    assert len(on_the_spool(settings)) == 3


def test_an_empty_spool_and_one_that_was_never_made_are_no_problem(settings: Settings) -> None:
    async def run() -> None:
        async with spooling(settings, MemoryLog()):
            assert spool_files(settings)
            report = await asyncio.to_thread(check, settings)
            assert report.ok, report.problems

    asyncio.run(run())
    (settings.spool_path / ("0" * 32)).mkdir(parents=True)
    assert check(settings).ok


def test_a_spool_that_can_not_be_read_proves_nothing(settings: Settings) -> None:
    file = leave_spool(settings, ["one"]) / "spool.db"
    file.write_bytes(b"no database " * 1000)
    (problem,) = check(settings).problems
    assert str(file) in problem
    assert "can not be told" in problem


def test_a_spool_folder_that_can_not_be_read_proves_nothing(settings: Settings) -> None:
    settings.spool_path.mkdir(parents=True)
    (settings.spool_path / "spool.db").mkdir()
    (problem,) = check(settings).problems
    assert "can not be told" in problem


def test_a_spool_that_was_drained_is_forgotten(settings: Settings) -> None:
    folder = leave_spool(settings, ["one"])
    with closing(sqlite3.connect(folder / "spool.db")) as database:
        database.execute("DELETE FROM records")
        database.commit()
    assert check(settings).ok
    shutil.rmtree(folder)
    assert check(settings).ok
