"""Names and footers of landed files, and which files there are."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.event_log.base import Partition
from ingest.landed_files import LandedRange, files_of, landed_files
from ingest.parquet_files import SCHEMA, Footer, UnreadableFile, read_footer, write_empty, write_parquet
from ingest.raw_store.local import LocalStore

RANGES = st.builds(
    LandedRange,
    log_id=st.text("abcXYZ0189_-", min_size=1, max_size=30),
    topic=st.text("abcXYZ0189_.-", min_size=1, max_size=60).filter(lambda topic: topic not in {".", ".."}),
    partition=st.integers(0, 2**31 - 1),
    first_offset=st.integers(0, 2**63 - 1),
    last_offset=st.integers(0, 2**63 - 1),
    received_date=st.dates(),
)
RANGE = LandedRange("cluster", "asleep.events", 3, 100, 199, date(2026, 1, 31))


def put(raw_dir: Path, landed: LandedRange) -> Path:
    path = raw_dir / landed.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_parquet(file, SCHEMA.empty_table(), landed)
    return path


def footer_of(path: Path) -> Footer:
    return read_footer(LocalStore(path.parent), path.name)


@given(RANGES)
@settings(deadline=None)
def test_a_range_is_what_its_path_says(tmp_path_factory: pytest.TempPathFactory, landed: LandedRange) -> None:
    raw_dir = tmp_path_factory.mktemp("raw")
    path = raw_dir / landed.name
    path.parent.mkdir(parents=True)
    path.touch()
    store = LocalStore(raw_dir)
    assert landed_files(store, landed.topic) == [landed]
    assert files_of(store.names(landed.topic), landed.source) == [landed]


def test_the_name_is_the_one_that_other_rooms_know() -> None:
    assert RANGE.name == (
        "asleep.events/log=cluster/received_date=2026-01-31/"
        "asleep.events+3+00000000000000000100+00000000000000000199.parquet"
    )


@given(RANGES)
@settings(deadline=None)
def test_a_footer_says_what_the_path_says(
    tmp_path_factory: pytest.TempPathFactory, landed: LandedRange
) -> None:
    path = put(tmp_path_factory.mktemp("raw"), landed)
    footer = footer_of(path)
    assert (footer.range, footer.rows, footer.schema_version) == (landed, 0, "2")


def test_files_come_by_log_partition_and_offset_whatever_their_date(tmp_path: Path) -> None:
    late, early = date(2026, 2, 1), date(2026, 1, 31)
    ranges = [
        LandedRange("a", "t", 2, 0, 9, late),
        LandedRange("a", "t", 2, 10, 19, early),
        LandedRange("a", "t", 10, 0, 4, early),
        LandedRange("b", "t", 0, 0, 4, early),
    ]
    for landed in reversed(ranges):
        put(tmp_path, landed)
    put(tmp_path, LandedRange("a", "other", 2, 20, 29, late))
    store = LocalStore(tmp_path)
    assert landed_files(store, "t") == ranges
    assert files_of(store.names("t"), Partition("t", 2)) == ranges[:2]
    assert files_of(store.names("t"), Partition("t", 1)) == []


@pytest.mark.parametrize(
    "name",
    [
        ".asleep.events+3+00000000000000000100+00000000000000000199.parquet.1f.tmp",
        "asleep.events+3+100+199.parquet",
        "asleep.events+03+00000000000000000100+00000000000000000199.parquet",
        "asleep.events+٣+00000000000000000100+00000000000000000199.parquet",
        "asleep.attempts+3+00000000000000000100+00000000000000000199.parquet",
        "copy of asleep.events+3+00000000000000000100+00000000000000000199.parquet",
        "asleep.events+3+00000000000000000100+00000000000000000199.parquet.bak",
    ],
)
def test_other_names_are_not_landed_files(tmp_path: Path, name: str) -> None:
    path = (tmp_path / RANGE.name).with_name(name)
    path.parent.mkdir(parents=True)
    path.touch()
    store = LocalStore(tmp_path)
    assert landed_files(store, "asleep.events") == []
    assert files_of(store.names("asleep.events"), RANGE.source) == []


@pytest.mark.parametrize("folder", ["received_date=2026-02-30", "received_date=__HIVE__", "2026-01-31"])
def test_folders_of_no_date_hold_no_landed_files(tmp_path: Path, folder: str) -> None:
    path = tmp_path / RANGE.name
    (path.parent.parent / folder).mkdir(parents=True)
    (path.parent.parent / folder / path.name).touch()
    assert landed_files(LocalStore(tmp_path), "asleep.events") == []


def test_an_empty_folder_has_no_landed_files(tmp_path: Path) -> None:
    assert landed_files(LocalStore(tmp_path / "absent"), "asleep.events") == []


def test_an_empty_file_has_the_columns_and_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "new" / "empty.parquet"
    write_empty(path)
    table = pq.read_table(path)
    assert table.schema.equals(SCHEMA)
    assert table.num_rows == 0


def test_a_truncated_file_is_unreadable_and_named(tmp_path: Path) -> None:
    path = put(tmp_path, RANGE)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UnreadableFile, match=re.escape(path.name)):
        footer_of(path)


def test_a_parquet_file_of_somebody_else_is_unreadable_and_named(tmp_path: Path) -> None:
    path = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(UnreadableFile, match=r"foreign\.parquet: its footer does not say"):
        footer_of(path)


def test_a_file_with_other_rows_than_its_footer_says_is_unreadable(tmp_path: Path) -> None:
    path = put(tmp_path, RANGE)
    said = pq.read_metadata(path).metadata
    pq.write_table(SCHEMA.empty_table().replace_schema_metadata({**said, b"rows": b"3"}), path)
    with pytest.raises(UnreadableFile, match="its footer says 3 rows, but it has 0"):
        footer_of(path)
