"""A gap is recorded over no offset that another lander landed, though it did so at that very moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.event_log.base import Partition
from tests.unit.memory_landing import (
    land_once,
    landing_in_background,
    offsets,
    settings_of,
    spans,
    wait_until,
)
from tests.unit.memory_reader import EVENTS, ReadableLog


class Overtaken(ReadableLog):
    """While it is asked for its first offset, a lander lands what that one has read before it was dropped."""

    def __init__(self, tmp_path: Path, held_by_the_other: int) -> None:
        super().__init__()
        self._tmp_path = tmp_path
        self._held = ReadableLog()
        self._held.append(held_by_the_other)

    def first(self, source: Partition) -> int:
        found = super().first(source)
        if found > 0:
            land_once(self._tmp_path, self._held)
        return found


def gaps(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "raw").rglob("gap+*.json"))


@pytest.mark.parametrize(
    ("held_by_the_other", "files", "lost"),
    [
        (10, [(0, 9)], []),
        (8, [(0, 7), (8, 9)], []),
        (5, [(0, 4), (8, 9)], ["gap+0+00000000000000000005+00000000000000000007.json"]),
    ],
)
def test_while_a_partition_is_begun(
    tmp_path: Path, held_by_the_other: int, files: list[tuple[int, int]], lost: list[str]
) -> None:
    log = Overtaken(tmp_path, held_by_the_other)
    log.append(10)
    log.drop_before(8)
    land_once(tmp_path, log)
    assert spans(tmp_path) == files
    assert gaps(tmp_path) == lost


def test_while_retention_overtakes_a_lander_at_work(tmp_path: Path) -> None:
    log = Overtaken(tmp_path, 7)
    log.append(3)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=3600), log):
        wait_until(lambda: log.readers and log.readers[0].polls > 2)
        log.ends[EVENTS] += 4
        log.records[EVENTS].clear()
        log.append(2)
        wait_until(lambda: len(offsets(tmp_path)) == 7)
        polls = log.readers[0].polls
        wait_until(lambda: log.readers[0].polls > polls + 2)
    assert spans(tmp_path)[-1] == (7, 8)
    assert offsets(tmp_path) == list(range(9))
    assert gaps(tmp_path) == []
