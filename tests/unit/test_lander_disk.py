"""Killed at any step, or refused by the disk: every offset is in exactly one file."""

from __future__ import annotations

import os
from errno import ENOSPC
from pathlib import Path
from typing import BinaryIO

import pytest

from ingest.durable_files import FileOperations
from tests.unit.memory_landing import (
    assert_exactly_once,
    land_once,
    landed,
    landing_in_background,
    leftovers,
    logged,
    offsets,
    path_of,
    settings_of,
    spans,
    wait_until,
)
from tests.unit.memory_reader import NOON_US, ReadableLog


class Killed(BaseException):
    """Stands for kill -9: nothing of ours handles it."""


class DyingFiles(FileOperations):
    """Dies at one step of the n-th file, leaving behind what a kill would leave there."""

    def __init__(self, step: str, file_number: int) -> None:
        self._step, self._left = step, file_number

    def _die_at(self, step: str) -> None:
        if step == self._step:
            self._left -= 1
            if self._left == 0:
                raise Killed

    def create(self, path: Path) -> BinaryIO:
        self._die_at("before the write")
        return super().create(path)

    def sync(self, file: BinaryIO) -> None:
        if self._step == "in mid-write" and self._left == 1:
            file.truncate(file.tell() // 2)
        self._die_at("in mid-write")
        super().sync(file)
        self._die_at("after the sync, before the rename")

    def publish(self, temporary: Path, final: Path) -> None:
        if self._step == "in mid-rename":
            os.link(temporary, final)
            self._die_at("in mid-rename")
            final.unlink()
        super().publish(temporary, final)
        self._die_at("after the rename, before the commit")


@pytest.mark.parametrize("file_number", [1, 2, 3])
@pytest.mark.parametrize(
    "step",
    [
        "before the write",
        "in mid-write",
        "after the sync, before the rename",
        "in mid-rename",
        "after the rename, before the commit",
    ],
)
def test_a_lander_killed_anywhere_lands_each_offset_once_after_a_restart(
    tmp_path: Path, step: str, file_number: int
) -> None:
    log = ReadableLog()
    log.append(8)
    with pytest.raises(Killed):
        land_once(tmp_path, log, DyingFiles(step, file_number), land_max_rows=3)
    assert sum(log.committed.values()) <= len(offsets(tmp_path))
    log.append(2)
    land_once(tmp_path, log)
    assert_exactly_once(tmp_path, log)
    assert leftovers(tmp_path) == []


class FullDisk(FileOperations):
    """Has no room while `full`: a write gets half its bytes down, then fails."""

    def __init__(self) -> None:
        self.full = True

    def sync(self, file: BinaryIO) -> None:
        if self.full:
            file.truncate(file.tell() // 2)
            raise OSError(ENOSPC, "No space left on device")
        super().sync(file)


def test_a_full_disk_fails_once_with_nothing_landed_or_committed(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(3)
    with pytest.raises(OSError, match="No space left"):
        land_once(tmp_path, log, FullDisk())
    assert (spans(tmp_path), leftovers(tmp_path), log.committed) == ([], [], {})
    assert log.readers[0].closed
    assert land_once(tmp_path, log) == 3


def test_a_full_disk_is_awaited_for_good_without_polling(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = ReadableLog()
    log.append(3)
    disk = FullDisk()
    with landing_in_background(settings_of(tmp_path, land_max_rows=2), log, disk):
        wait_until(lambda: len(logged(caplog, "landing failed")) >= 2)
        assert (spans(tmp_path), leftovers(tmp_path), log.committed) == ([], [], {})
        assert all(reader.polls <= 2 for reader in log.readers)
        disk.full = False
        wait_until(lambda: spans(tmp_path) == [(0, 1)])
    assert_exactly_once(tmp_path, log)
    failure = logged(caplog, "landing failed")[0]
    assert failure["level"] == "ERROR"
    assert "No space left" in str(failure["error"])


def test_a_folder_is_made_durable_before_landing_goes_on_after_it(tmp_path: Path) -> None:
    synced: list[Path] = []

    class Watched(FileOperations):
        def sync_folder(self, folder: Path) -> None:
            synced.append(folder)
            super().sync_folder(folder)

    log = ReadableLog()
    log.append(1)
    land_once(tmp_path, log)
    log.append(received_us=NOON_US + 86_400_000_000)
    land_once(tmp_path, log, Watched())
    first, second = (path_of(tmp_path, file).parent for file in landed(tmp_path))
    assert synced == [first, second.parent, second]
