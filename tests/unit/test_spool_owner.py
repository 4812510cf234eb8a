"""Whose a spool is: of which event log, of the living or the dead, and what when it is taken away."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from ingest.event_log.base import LogUnavailable
from ingest.settings import Settings
from ingest.spool import adoption, own
from ingest.spool.folders import EMPTY_BYTES, SpoolFolder, count_spools, log_address
from tests.spooling import eventually, leave_spool, on_the_spool, send, spool_files, spooling
from tests.unit.memory_log import MemoryLog

AWAY = LogUnavailable("the log is away")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, append_timeout_seconds=1.0, spool_min_free_bytes=0)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def of_another_log(settings: Settings) -> Settings:
    return settings.model_copy(update={"event_log_url": "kafka://elsewhere:9092"})


def test_a_spool_of_another_log_is_told_and_left(settings: Settings) -> None:
    other = leave_spool(of_another_log(settings), ["theirs"])
    (other / "reserve").touch()
    leave_spool(settings, ["ours"])
    log = MemoryLog()

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await eventually(lambda: len(log.records) == 1, "ours")
            problem = writer.problems()["spool"]
            assert str(other) in problem
            assert "ASLEEP_EVENT_LOG_URL=kafka://elsewhere:9092" in problem
            assert "asleep drain --into-this-log" in problem

    asyncio.run(test())
    assert [record.value for record in log.records] == [b"ours"]
    assert on_the_spool(settings) == ["theirs"]
    assert (other / "reserve").exists()


def test_an_empty_spool_of_another_log_is_removed(settings: Settings) -> None:
    other = leave_spool(of_another_log(settings), [])

    async def test() -> None:
        async with spooling(settings, MemoryLog()) as writer:
            await eventually(lambda: not other.exists(), "a removed folder")
            assert writer.problems() == {}

    asyncio.run(test())


def test_a_spool_that_names_no_log_is_ours(settings: Settings) -> None:
    older = leave_spool(of_another_log(settings), ["old"])
    (older / "log").unlink()
    log = MemoryLog()

    async def test() -> None:
        async with spooling(settings, log):
            await eventually(lambda: len(log.records) == 1, "the record")

    asyncio.run(test())


def test_an_embedded_log_has_one_address_however_its_path_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    urls = ("sqlite:///log.db", f"sqlite:///{tmp_path}/log.db", "sqlite:///link/log.db")
    addresses = {log_address(Settings(event_log_url=url)) for url in urls}
    assert addresses == {f"sqlite:///{tmp_path}/log.db"}
    assert log_address(Settings(event_log_url="kafka://b:1,a:2")) == "kafka://b:1,a:2"


def test_spools_of_the_dead_are_told_from_those_of_the_living(tmp_path: Path) -> None:
    living = SpoolFolder.make(tmp_path, "")
    for name in ("adopted", "left"):
        folder = SpoolFolder.make(tmp_path, "")
        folder.file.write_bytes(bytes(EMPTY_BYTES + 1000))
        (folder.path / "spool.db-wal").write_bytes(bytes(10))
        folder.release()
        if name == "adopted":
            adopted = SpoolFolder.adopt(folder.path)
    living.file.write_bytes(bytes(EMPTY_BYTES + 5000))
    (tmp_path / ("0" * 32)).write_text("no folder")
    assert adopted is not None
    assert count_spools(tmp_path) == (1, 2020)
    assert SpoolFolder.adopt(adopted.path) is None
    living.release()
    assert count_spools(tmp_path) == (0, 7020)


def test_a_spool_that_is_removed_under_its_owner_is_replaced_and_what_it_held_drained(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    log = MemoryLog(failure=AWAY)

    async def test() -> None:
        async with spooling(settings, log) as writer:
            await send(writer, "before")
            (old,) = spool_files(settings)
            await eventually(lambda: writer._keeper.spools().__next__().oldest_ms is not None, "a drain")
            shutil.rmtree(settings.spool_path)
            await eventually(lambda: any(path != old for path in spool_files(settings)), "another spool")
            await eventually(writer.accepts, "a spool that takes events")
            await send(writer, "after")
            assert writer.spooled_total == 2
            log.failure = None
            await eventually(lambda: len(log.records) == 2, "both records")
            await eventually(lambda: writer.problems() == {}, "no problem")

    asyncio.run(test())
    assert "removed or replaced" in caplog.text
    assert {record.headers["receipt_id"] for record in log.records} == {b"before", b"after"}
    assert list(settings.spool_path.iterdir()) == []


def test_what_was_put_in_the_place_of_a_spool_is_not_removed_with_it(settings: Settings) -> None:
    path = leave_spool(settings, [])
    spool = adoption.adopt(path, 1.0, None)
    assert spool is not None
    (path / "spool.db").rename(path / "aside.db")
    (path / "spool.db").write_bytes(b"a backup")
    adoption.remove(spool)
    assert (path / "spool.db").read_bytes() == b"a backup"


def test_a_spool_that_can_not_be_made_leaves_no_lock_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise OSError("the disk is broken")

    monkeypatch.setattr(SpoolFolder, "remove", failing)
    monkeypatch.setattr("ingest.spool.own.SpoolFile.make", failing)
    before = open_descriptors()
    for _ in range(5):
        with pytest.raises(OSError, match="broken"):
            own.make(settings.spool_path, "", 1.0, lambda _: None)
    assert open_descriptors() == before
