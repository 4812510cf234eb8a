"""Killed at any step, however often: the rows that count stay the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from ingest.compaction import compact
from ingest.durable_files import FileOperations
from ingest.raw_store.base import Write
from ingest.raw_store.local import LocalStore
from ingest.verify import verify
from tests.unit.memory_landing import leftovers, settings_of
from tests.unit.raw_worlds import (
    LATER,
    all_files,
    counted_rows,
    log_of,
    put_small_ones,
    ranges,
)
from tests.unit.test_lander_disk import DyingFiles, Killed


class DyingStore(LocalStore):
    """Dies at the n-th of its steps: before and after each that changes what is there."""

    def __init__(self, root: Path, steps: int) -> None:
        super().__init__(root)
        self.left = steps

    def _step(self) -> None:
        self.left -= 1
        if not self.left:
            raise Killed

    def create(self, name: str, write: Write, check: Callable[[], None], *, alone_in: str) -> int:
        def write_and_die(file: BinaryIO) -> None:
            write(file)
            self._step()

        self._step()
        size = super().create(name, write_and_die, check, alone_in=alone_in)
        self._step()
        return size

    def remove(self, name: str) -> None:
        self._step()
        super().remove(name)


def assert_well(tmp_path: Path) -> None:
    report = verify(settings_of(tmp_path), deep=True, connect=log_of(tmp_path).connect)
    assert report.problems == ()


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
def test_killed_at_any_step_of_a_file_nothing_is_lost_and_the_next_compaction_ends_the_work(
    tmp_path: Path, step: str
) -> None:
    put_small_ones(tmp_path, 6)
    before = counted_rows(tmp_path)
    with pytest.raises(Killed):
        compact(settings_of(tmp_path), now=LATER, store=LocalStore(tmp_path / "raw", DyingFiles(step, 1)))
    assert counted_rows(tmp_path) == before
    assert_well(tmp_path)
    assert compact(settings_of(tmp_path), now=LATER).ok
    assert (ranges(tmp_path), leftovers(tmp_path)) == ([(0, 14), (15, 17)], [])
    assert counted_rows(tmp_path) == before


STEPS = 3 + 5
"""Before, in and after the writing of the one file that is made, and before each removal of its sources."""


@pytest.mark.parametrize("steps", range(1, STEPS + 1))
def test_killed_before_and_after_each_file_that_comes_and_goes_it_never_loses_a_row(
    tmp_path: Path, steps: int
) -> None:
    put_small_ones(tmp_path, 6)
    before = counted_rows(tmp_path)
    with pytest.raises(Killed):
        compact(settings_of(tmp_path), now=LATER, store=DyingStore(tmp_path / "raw", steps))
    assert counted_rows(tmp_path) == before
    assert_well(tmp_path)
    compact(settings_of(tmp_path), now=LATER, store=DyingStore(tmp_path / "raw", STEPS + 1))
    assert (ranges(tmp_path), counted_rows(tmp_path)) == ([(0, 14), (15, 17)], before)


def test_a_full_disk_stops_it_with_nothing_changed(tmp_path: Path) -> None:
    class FullDisk(FileOperations):
        def sync(self, file: BinaryIO) -> None:
            file.truncate(file.tell() // 2)
            raise OSError(28, "No space left on device")

    files = put_small_ones(tmp_path, 4)
    with pytest.raises(OSError, match="No space"):
        compact(settings_of(tmp_path), now=LATER, store=LocalStore(tmp_path / "raw", FullDisk()))
    assert (all_files(tmp_path), leftovers(tmp_path)) == (files, [])
