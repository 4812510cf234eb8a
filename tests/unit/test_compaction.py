"""What compaction joins, what it leaves alone, and that nothing is lost or changed by it."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pyarrow.parquet as pq

from ingest.compaction import CompactionReport, compact
from ingest.event_log.base import Partition
from ingest.landed_files import LandedRange
from ingest.parquet_files import Replaced, read_footer
from ingest.raw_files import RawFiles
from tests.older_files import make_older
from tests.unit.memory_landing import path_of, settings_of
from tests.unit.memory_reader import EVENTS
from tests.unit.raw_worlds import (
    DAY,
    LATER,
    LOG_ID,
    all_files,
    counted_offsets,
    counted_rows,
    later,
    put,
    put_small_ones,
    ranges,
    rows_of,
    store_of,
)

NEXT_DAY = date(2026, 1, 30)


def compacted(tmp_path: Path, now: datetime = LATER, target: int = 10_000_000) -> CompactionReport:
    return compact(settings_of(tmp_path, compact_target_bytes=target), now=now)


def test_small_files_of_a_closed_day_become_one_but_for_the_newest_of_the_partition(tmp_path: Path) -> None:
    put_small_ones(tmp_path, 5)
    before = counted_rows(tmp_path)
    report = compacted(tmp_path)
    assert ranges(tmp_path) == [(0, 11), (12, 14)]
    assert counted_rows(tmp_path) == before
    assert (report.joined, report.made, report.rows, report.removed) == (4, 1, 12, 4)
    assert (report.files_before, report.files_after) == (5, 2)
    assert report.bytes_before > report.bytes_after > 0
    assert report.ok


def test_rows_are_sorted_by_user_session_and_offset_and_the_footer_says_what_was_replaced(
    tmp_path: Path,
) -> None:
    put(tmp_path, 0, 9)
    put(tmp_path, 10, 29, without=[12, 13])
    put(tmp_path, 30, 30)
    compacted(tmp_path)
    joined, _ = all_files(tmp_path)
    keys = [
        tuple((each[name] is None, each[name] or 0) for name in ("user_id", "session_id", "log_offset"))
        for each in rows_of(tmp_path, joined)
    ]
    assert keys == sorted(keys)
    footer = read_footer(store_of(tmp_path), joined.name)
    assert (footer.range, footer.rows) == (joined, 28)
    assert footer.replaces == (Replaced(0, 9, 10), Replaced(10, 29, 18))


def test_a_compacted_file_has_statistics_of_users_and_sessions(tmp_path: Path) -> None:
    put_small_ones(tmp_path, 3)
    compacted(tmp_path)
    metadata = pq.read_metadata(path_of(tmp_path, all_files(tmp_path)[0]))
    group = metadata.row_group(0)
    by_name = {
        group.column(number).path_in_schema: group.column(number) for number in range(group.num_columns)
    }
    assert (by_name["user_id"].statistics.min, by_name["user_id"].statistics.max) == ("user-0", "user-3")


def test_a_second_compaction_finds_nothing_to_do(tmp_path: Path) -> None:
    put_small_ones(tmp_path, 40)
    compacted(tmp_path, target=20_000)
    files = all_files(tmp_path)
    report = compacted(tmp_path, target=20_000)
    assert (report.joined, report.made, report.removed, report.left_alone) == (0, 0, 0, [])
    assert all_files(tmp_path) == files
    assert len(files) < 40


def test_files_are_joined_up_to_the_target_size_and_large_ones_left_alone(tmp_path: Path) -> None:
    files = put_small_ones(tmp_path, 40)
    size = path_of(tmp_path, files[0]).stat().st_size
    report = compacted(tmp_path, target=2 * size)
    assert (report.joined, report.removed) == (0, 0)
    compacted(tmp_path, target=3 * size)
    sizes = [path_of(tmp_path, file).stat().st_size for file in all_files(tmp_path)]
    assert max(sizes) <= 3 * size
    assert len(sizes) < 40


def test_dates_and_partitions_are_not_mixed(tmp_path: Path) -> None:
    other = Partition(EVENTS.topic, 1)
    put_small_ones(tmp_path, 4)
    for number in range(4, 8):
        put(tmp_path, 3 * number, 3 * number + 2, day=NEXT_DAY)
    put_small_ones(tmp_path, 3, source=other)
    before = counted_rows(tmp_path)
    compacted(tmp_path)
    assert [
        (file.partition, file.first_offset, file.last_offset, file.received_date)
        for file in all_files(tmp_path)
    ] == [
        (0, 0, 11, DAY),
        (0, 12, 20, NEXT_DAY),
        (0, 21, 23, NEXT_DAY),
        (1, 0, 5, DAY),
        (1, 6, 8, DAY),
    ]
    assert counted_rows(tmp_path) == before


def test_of_the_present_day_the_hours_that_are_over_are_joined_each_by_itself(tmp_path: Path) -> None:
    for number, hours in enumerate([0, 0.5, 1, 1.5, 1.9, 2, 2.1, 2.2]):
        put(tmp_path, number, number, appended=later(hours=hours))
    compacted(tmp_path, later(hours=2.5))
    assert ranges(tmp_path) == [(0, 1), (2, 4), (5, 5), (6, 6), (7, 7)]
    compacted(tmp_path, later(hours=2.6))
    assert len(ranges(tmp_path)) == 5
    compacted(tmp_path, later(days=1))
    assert ranges(tmp_path) == [(0, 6), (7, 7)]


def test_files_that_do_not_follow_each_other_are_not_joined(tmp_path: Path) -> None:
    put(tmp_path, 0, 2)
    put(tmp_path, 5, 6)
    put(tmp_path, 9, 9)
    report = compacted(tmp_path)
    assert (report.made, ranges(tmp_path)) == (0, [(0, 2), (5, 6), (9, 9)])


def test_where_a_partition_ends_stays_the_same(tmp_path: Path) -> None:
    put_small_ones(tmp_path, 4)
    raw = RawFiles(store_of(tmp_path), LOG_ID)
    compacted(tmp_path)
    assert raw.next_offset(EVENTS) == 12
    put(tmp_path, 12, 14)
    compacted(tmp_path)
    assert ranges(tmp_path) == [(0, 11), (12, 14)]
    assert raw.next_offset(EVENTS) == 15


def test_offsets_without_a_record_stay_accounted_for_even_if_there_is_nothing_else(tmp_path: Path) -> None:
    put(tmp_path, 0, 2, without=range(3))
    put(tmp_path, 3, 5, without=range(3, 6))
    put(tmp_path, 6, 6)
    before = counted_offsets(tmp_path)
    compacted(tmp_path)
    assert (ranges(tmp_path), counted_offsets(tmp_path)) == ([(0, 5), (6, 6)], before)


def test_files_of_the_older_schema_are_joined_with_newer_ones(tmp_path: Path) -> None:
    older = put(tmp_path, 0, 4)
    put(tmp_path, 5, 9)
    put(tmp_path, 10, 10)
    before = counted_rows(tmp_path)
    make_older(path_of(tmp_path, older))
    assert compacted(tmp_path).ok
    assert (ranges(tmp_path), counted_rows(tmp_path)) == ([(0, 9), (10, 10)], before)


def test_what_an_interrupted_compaction_left_is_removed_once_it_is_proved_to_be_held(tmp_path: Path) -> None:
    files = put_small_ones(tmp_path, 4)
    kept = {file: path_of(tmp_path, file).read_bytes() for file in files}
    compacted(tmp_path)
    for file, content in kept.items():
        path_of(tmp_path, file).write_bytes(content)
    before = counted_rows(tmp_path)
    report = compacted(tmp_path)
    assert (report.joined, report.removed, ranges(tmp_path)) == (0, 3, [(0, 8), (9, 11)])
    assert counted_rows(tmp_path) == before


def test_files_that_overlap_are_joined_into_one_that_has_each_row_once(tmp_path: Path) -> None:
    put(tmp_path, 0, 4)
    put(tmp_path, 3, 9)
    put(tmp_path, 10, 10)
    before = counted_rows(tmp_path)
    compacted(tmp_path)
    assert (ranges(tmp_path), counted_rows(tmp_path)) == ([(0, 9), (10, 10)], before)
    joined: LandedRange = all_files(tmp_path)[0]
    assert read_footer(store_of(tmp_path), joined.name).replaces == (Replaced(0, 4, 5), Replaced(5, 9, 5))


def test_what_is_being_done_is_told(tmp_path: Path) -> None:
    put_small_ones(tmp_path, 5)
    told: list[tuple[str, int, int]] = []
    compact(
        settings_of(tmp_path), now=LATER, progress=lambda what, done, total: told.append((what, done, total))
    )
    assert told == [("asleep.events[0]@0..11", 0, 4)]
