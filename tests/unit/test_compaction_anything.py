"""Any files, compacted and killed at any points: the rows that count stay the same."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.compaction import compact
from ingest.event_log.base import Partition
from tests.unit.memory_landing import ATTEMPTS, settings_of
from tests.unit.memory_reader import EVENTS
from tests.unit.raw_worlds import (
    DAY,
    LATER,
    counted_offsets,
    counted_rows,
    put,
)
from tests.unit.test_compaction_kills import DyingStore, assert_well
from tests.unit.test_lander_disk import Killed

Landed = tuple[int, set[int], int]
"""How many offsets a file accounts for, which of them have no record, and how many days it is later."""

landed = st.tuples(
    st.integers(1, 6), st.sets(st.integers(0, 5), max_size=3), st.sampled_from([0, 0, 0, 0, 1, 2])
)
partitions = st.dictionaries(
    st.sampled_from([EVENTS, Partition(EVENTS.topic, 1), ATTEMPTS]),
    st.lists(landed, max_size=8),
    min_size=1,
)
steps = st.lists(
    st.tuples(st.integers(1, 14), st.sampled_from([9_000, 20_000, 30_000, 10**7]), st.integers(-30, 100)),
    min_size=1,
    max_size=4,
)


def put_all(tmp_path: Path, files: dict[Partition, list[Landed]]) -> None:
    for source, of_partition in files.items():
        first, day = 0, DAY
        for count, without, days in of_partition:
            day += timedelta(days=days)
            put(
                tmp_path,
                first,
                first + count - 1,
                source,
                day=day,
                without=[first + each for each in without],
            )
            first += count


@settings(max_examples=40, deadline=None)
@given(files=partitions, kills=steps)
def test_any_files_compacted_and_killed_at_any_points_keep_each_row_and_each_offset(
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[Partition, list[Landed]],
    kills: list[tuple[int, int, int]],
) -> None:
    tmp_path = tmp_path_factory.mktemp("world")
    put_all(tmp_path, files)
    rows, offsets = counted_rows(tmp_path), counted_offsets(tmp_path)
    assert all(len(same) == 1 for same in rows.values())
    for step, target, hours in kills:
        now = LATER - timedelta(days=4) + timedelta(hours=hours)
        given_settings = settings_of(tmp_path, compact_target_bytes=target)
        try:
            assert compact(given_settings, now=now, store=DyingStore(tmp_path / "raw", step)).ok
            assert compact(given_settings, now=now).joined == 0
        except Killed:
            pass
        assert counted_rows(tmp_path) == rows
        assert counted_offsets(tmp_path) == offsets
        assert_well(tmp_path)
    assert compact(settings_of(tmp_path), now=LATER + timedelta(days=40)).ok
    assert counted_rows(tmp_path) == rows
    assert_well(tmp_path)
    shutil.rmtree(tmp_path)
