"""Compactions and landers at the same files at the same time do no harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from ingest.compaction import compact
from ingest.raw_store.base import Write
from ingest.raw_store.local import LocalStore
from tests.unit.memory_landing import leftovers, path_of, settings_of
from tests.unit.raw_worlds import (
    LATER,
    all_files,
    counted_rows,
    put,
    put_small_ones,
    ranges,
)
from tests.unit.test_compaction_kills import assert_well


def test_two_compactions_at_once_do_no_harm(tmp_path: Path) -> None:
    put_small_ones(tmp_path, 9)
    before = counted_rows(tmp_path)

    class Overtaken(LocalStore):
        """Another compaction, with another target, begins and ends at each step of this one."""

        def create(self, name: str, write: Write, check: Callable[[], None], *, alone_in: str) -> int:
            def write_and_wait(file: BinaryIO) -> None:
                write(file)
                compact(settings_of(tmp_path), now=LATER)

            compact(settings_of(tmp_path, compact_target_bytes=40_000), now=LATER)
            assert counted_rows(tmp_path) == before
            return super().create(name, write_and_wait, check, alone_in=alone_in)

        def remove(self, name: str) -> None:
            compact(settings_of(tmp_path), now=LATER)
            assert counted_rows(tmp_path) == before
            super().remove(name)

    compact(settings_of(tmp_path, compact_target_bytes=60_000), now=LATER, store=Overtaken(tmp_path / "raw"))
    compact(settings_of(tmp_path), now=LATER)
    assert (ranges(tmp_path), counted_rows(tmp_path)) == ([(0, 23), (24, 26)], before)
    assert_well(tmp_path)


@pytest.mark.parametrize("moment", ["before it reads", "after it has read"])
def test_one_that_was_overtaken_at_the_very_same_files_ends_well(tmp_path: Path, moment: str) -> None:
    put_small_ones(tmp_path, 6)
    before = counted_rows(tmp_path)

    class Overtaken(LocalStore):
        def create(self, name: str, write: Write, check: Callable[[], None], *, alone_in: str) -> int:
            def write_late(file: BinaryIO) -> None:
                write(file)
                if moment == "after it has read":
                    compact(settings_of(tmp_path), now=LATER)

            if moment == "before it reads":
                compact(settings_of(tmp_path), now=LATER)
            return super().create(name, write_late, check, alone_in=alone_in)

    report = compact(settings_of(tmp_path), now=LATER, store=Overtaken(tmp_path / "raw"))
    assert (report.ok, report.made) == (True, 0)
    assert (ranges(tmp_path), counted_rows(tmp_path)) == ([(0, 14), (15, 17)], before)
    assert leftovers(tmp_path) == []


def test_files_that_another_one_removes_while_they_are_proved_are_no_trouble(tmp_path: Path) -> None:
    kept = {file: path_of(tmp_path, file).read_bytes() for file in put_small_ones(tmp_path, 6)}
    compact(settings_of(tmp_path), now=LATER)
    for file, content in kept.items():
        path_of(tmp_path, file).write_bytes(content)

    class Overtaken(LocalStore):
        is_at_work = False

        def open(self, name: str) -> BinaryIO:
            if not self.is_at_work:
                self.is_at_work = True
                compact(settings_of(tmp_path), now=LATER)
            return super().open(name)

    report = compact(settings_of(tmp_path), now=LATER, store=Overtaken(tmp_path / "raw"))
    assert (report.ok, report.removed) == (True, 0)
    assert ranges(tmp_path) == [(0, 14), (15, 17)]


def test_files_that_land_meanwhile_are_left_alone_until_the_next_time(tmp_path: Path) -> None:
    put_small_ones(tmp_path, 4)

    class Landing(LocalStore):
        """A lander lands one more file while this one is being written."""

        def create(self, name: str, write: Write, check: Callable[[], None], *, alone_in: str) -> int:
            end = max(file.last_offset for file in all_files(tmp_path))
            if end < 20:
                put(tmp_path, end + 1, end + 3)
            return super().create(name, write, check, alone_in=alone_in)

    compact(settings_of(tmp_path), now=LATER, store=Landing(tmp_path / "raw"))
    assert_well(tmp_path)
    assert ranges(tmp_path) == [(0, 17), (18, 20)]
    assert len(counted_rows(tmp_path)) == 21
