"""A disk that gets full under the spool: calls get an error, and no harm is done once there is room."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.spool.file import RESERVE_BYTES
from tests.integration.small_disks import NoMount, small_disk

MEGABYTE = 1024 * 1024

_PROGRAM = """
import asyncio, resource, sys
from pathlib import Path
from ingest.event_log.base import EventLogError, LogUnavailable
from ingest.settings import Settings
from tests.spooling import eventually, send, spooling
from tests.unit.memory_log import MemoryLog

async def main():
    folder, how = Path(sys.argv[1]), sys.argv[2]
    log = MemoryLog(failure=LogUnavailable("away"), trouble="away")
    settings = Settings(data_dir=folder, spool_min_free_bytes=0, append_timeout_seconds=1.0)
    accepted = []
    async with spooling(settings, log) as writer:
        if how == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
        try:
            for number in range(1000):
                await send(writer, number, size=20_000)
                accepted.append(str(number))
        except EventLogError as error:
            print(type(error).__name__, error)
        assert 10 < len(accepted) < 1000, len(accepted)
        await eventually(lambda: not writer.accepts(), "readiness that knows of the full disk")
        print(writer.problems()["spool"])
        if how == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        elif how == "ballast":
            (folder / "ballast").unlink()
        if how != "stays full":
            await eventually(writer.accepts, "readiness once there is room")
            await send(writer, "room")
            accepted.append("room")
        log.failure = log.trouble = None
        await eventually(lambda: not writer.spooled_records, "a drained spool")
    found = [record.headers["receipt_id"].decode() for record in log.records]
    assert set(accepted) <= set(found), set(accepted) - set(found)
    assert not list((folder / "spool").iterdir())

asyncio.run(main())
"""


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that has room for a spool's reserve and 2 MB, besides a file `ballast`."""
    try:
        with small_disk(tmp_path / "small", RESERVE_BYTES + 4 * MEGABYTE) as folder:
            (folder / "ballast").write_bytes(bytes(2 * MEGABYTE))
            yield folder
    except NoMount as reason:
        pytest.skip(f"no small disk can be mounted: {reason}")


def run(folder: Path, how: str) -> str:
    command = [sys.executable, "-c", _PROGRAM, str(folder), how]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_file_that_may_grow_no_more_refuses_calls_until_it_may(tmp_path: Path) -> None:
    assert "AppendFailed" in run(tmp_path, "limit")


def test_a_full_disk_refuses_calls_until_there_is_room(full_disk: Path) -> None:
    assert "disk is full" in run(full_disk, "ballast")


def test_a_spool_on_a_full_disk_is_drained_although_there_is_no_room(full_disk: Path) -> None:
    assert "disk is full" in run(full_disk, "stays full")
