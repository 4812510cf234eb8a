"""Which of the files that hold an offset counts for it."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from ingest.coverage import shares
from ingest.landed_files import LandedRange

DAY = date(2026, 1, 31)


def file(first: int, last: int, partition: int = 0) -> LandedRange:
    return LandedRange("log", "t", partition, first, last, DAY)


def counted(*files: LandedRange) -> list[tuple[int, int] | None]:
    return [None if share.is_empty else (share.first_offset, share.last_offset) for share in shares(files)]


def test_files_that_follow_each_other_count_for_all_they_hold() -> None:
    assert counted(file(0, 4), file(5, 9), file(12, 12)) == [(0, 4), (5, 9), (12, 12)]
    assert all(share.is_whole for share in shares([file(0, 4), file(5, 9)]))


def test_a_compacted_file_counts_for_all_that_it_replaces() -> None:
    assert counted(file(0, 4), file(5, 9), file(0, 9), file(10, 11)) == [(0, 9), None, None, (10, 11)]


def test_a_file_that_came_late_counts_for_what_nobody_else_has() -> None:
    assert counted(file(0, 4), file(3, 9), file(7, 12)) == [(0, 4), (5, 9), (10, 12)]


def test_partitions_have_nothing_to_do_with_each_other() -> None:
    assert counted(file(0, 4, 0), file(0, 4, 1)) == [(0, 4), (0, 4)]


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 15), st.integers(0, 1)).map(
            lambda drawn: file(drawn[0], drawn[0] + drawn[1], drawn[2])
        ),
        max_size=12,
    )
)
def test_each_offset_of_any_files_counts_in_exactly_one(files: list[LandedRange]) -> None:
    held = {
        (file.partition, offset)
        for file in files
        for offset in range(file.first_offset, file.last_offset + 1)
    }
    found = [
        (share.file.partition, offset)
        for share in shares(files)
        for offset in range(share.first_offset, share.last_offset + 1)
    ]
    assert sorted(found) == sorted(held)
    assert sum(share.offsets for share in shares(files)) == len(held)
    for share in shares(files):
        assert share.is_empty or share.file.first_offset <= share.first_offset <= share.last_offset
        assert share.last_offset <= share.file.last_offset or share.is_empty
    assert list(shares(files[::-1])) == list(shares(files))
