"""Files that compaction can not read, or not prove, are left alone and told; the others are joined."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.compaction import compact
from ingest.parquet_files import SCHEMA, write_parquet
from tests.unit.memory_landing import path_of, settings_of
from tests.unit.raw_worlds import LATER, all_files, put, put_small_ones, ranges
from tests.unit.test_compaction import compacted


def test_an_unreadable_file_is_told_and_left_alone_and_the_others_are_joined(tmp_path: Path) -> None:
    files = put_small_ones(tmp_path, 6)
    os.truncate(path_of(tmp_path, files[2]), 300)
    report = compacted(tmp_path)
    assert ranges(tmp_path) == [(0, 5), (6, 8), (9, 14), (15, 17)]
    [problem] = report.left_alone
    assert files[2].name in problem
    assert not report.ok


def test_a_file_with_a_spoilt_page_is_told_and_left_alone_and_the_others_are_joined(tmp_path: Path) -> None:
    files = put_small_ones(tmp_path, 6, rows=50)
    path = path_of(tmp_path, files[2])
    content = bytearray(path.read_bytes())
    for at in range(20, 700):
        content[at] ^= 0x5A
    path.write_bytes(content)
    report = compacted(tmp_path)
    assert ranges(tmp_path) == [(0, 99), (100, 149), (150, 249), (250, 299)]
    assert len(report.left_alone) == 1
    assert not list((tmp_path / "raw").rglob("*.tmp"))


def test_a_file_of_a_schema_that_is_not_known_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("ingest.parquet_files.SCHEMA_VERSION", "3")
        put(tmp_path, 0, 2)
    put(tmp_path, 3, 5)
    put(tmp_path, 6, 8)
    report = compacted(tmp_path)
    assert (len(ranges(tmp_path)), len(report.left_alone)) == (3, 1)
    assert "version 3" in report.left_alone[0]


@pytest.mark.parametrize("body", ["{}", None])
def test_a_file_whose_rows_are_not_all_held_elsewhere_is_never_removed(
    tmp_path: Path, body: str | None
) -> None:
    put(tmp_path, 0, 8, without=[4] if body is None else [])
    files = [put(tmp_path, 0, 2), put(tmp_path, 3, 5, body=body), put(tmp_path, 6, 8)]
    put(tmp_path, 9, 9)
    report = compacted(tmp_path)
    assert files[1] in all_files(tmp_path)
    assert ranges(tmp_path) == [(0, 8), (3, 5), (9, 9)]
    [problem] = report.left_alone
    assert "@4..4" in problem or "@3..3" in problem


@pytest.mark.parametrize("offsets", [[3, 4, 6], [2, 4, 5], [3, 4, 4]])
def test_a_file_with_offsets_that_are_not_its_own_or_not_there_once_is_never_removed(
    tmp_path: Path, offsets: list[int]
) -> None:
    files = put_small_ones(tmp_path, 4)
    table = pq.ParquetFile(path_of(tmp_path, files[1])).read()
    column = SCHEMA.get_field_index("log_offset")
    changed = table.set_column(column, SCHEMA.field(column), pa.array(offsets, pa.int64()))
    with path_of(tmp_path, files[1]).open("wb") as file:
        write_parquet(file, changed, files[1])
    report = compact(settings_of(tmp_path), now=LATER)
    assert files[1] in all_files(tmp_path)
    assert len(report.left_alone) == 1
