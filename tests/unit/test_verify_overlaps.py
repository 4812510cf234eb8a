"""What `verify` says of files that overlap: explained by compaction, superfluous, or a fault."""

from __future__ import annotations

from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from ingest.compaction import compact
from ingest.parquet_files import Replaced, write_groups
from ingest.raw_store.local import LocalStore
from ingest.verdict import VerifyReport, untold
from ingest.verify import verify
from tests.unit.memory_landing import path_of, settings_of
from tests.unit.raw_worlds import LATER, all_files, log_of, put, put_small_ones

AT = "asleep.events[0]@"


def check(tmp_path: Path, *, deep: bool = False) -> VerifyReport:
    return verify(settings_of(tmp_path), deep=deep, connect=log_of(tmp_path).connect)


def put_compacted_beside_its_sources(tmp_path: Path) -> None:
    kept = {file: path_of(tmp_path, file).read_bytes() for file in put_small_ones(tmp_path, 4)}
    compact(settings_of(tmp_path), now=LATER)
    for file, content in kept.items():
        path_of(tmp_path, file).write_bytes(content)


@pytest.mark.parametrize("deep", [False, True])
def test_sources_of_a_compacted_file_are_noted_with_their_number_and_no_problem(
    tmp_path: Path, *, deep: bool
) -> None:
    put_compacted_beside_its_sources(tmp_path)
    report = check(tmp_path, deep=deep)
    assert report.ok, report.problems
    assert report.notes == (
        "asleep.events[0]: 3 files are replaced by compacted ones; `asleep compact` removes them",
    )
    [part] = report.partitions
    assert (part.files, part.superfluous, part.twice, part.rows) == (5, 3, 9, 12)
    if deep:
        assert report.receipts is not None
        assert (report.receipts.different, report.receipts.repeated_rows) == (12, 0)


def test_a_compacted_file_is_well_although_its_rows_are_not_in_the_order_of_offsets(tmp_path: Path) -> None:
    put_small_ones(tmp_path, 4)
    compact(settings_of(tmp_path), now=LATER)
    report = check(tmp_path, deep=True)
    assert (report.problems, report.notes) == ((), ())
    assert report.partitions[0].rows == 12


def test_rows_that_differ_at_an_offset_are_found_by_a_deep_look(tmp_path: Path) -> None:
    put(tmp_path, 0, 9)
    put(tmp_path, 3, 5, body="{}")
    put(tmp_path, 6, 8)
    assert check(tmp_path).ok
    [problem] = check(tmp_path, deep=True).problems
    assert f"its row at {AT}3..3 is another one" in problem


def test_files_that_overlap_in_part_are_a_problem_where_locks_forbid_it(tmp_path: Path) -> None:
    put(tmp_path, 0, 5)
    put(tmp_path, 4, 9)
    report = check(tmp_path, deep=True)
    assert report.problems == (f"{AT}4..5: in more than one file",)
    assert (report.partitions[0].twice, report.partitions[0].rows) == (2, 10)


def test_files_that_overlap_in_part_are_noted_where_no_lock_can_forbid_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalStore, "is_exclusive", False)
    put(tmp_path, 0, 5)
    put(tmp_path, 4, 9)
    report = check(tmp_path, deep=True)
    assert report.ok
    assert report.notes == (f"{AT}4..5: in more than one file, of which the first counts",)
    put(tmp_path, 4, 9, body="{}")
    [problem] = check(tmp_path, deep=True).problems
    assert f"its row at {AT}4..4 is another one" in problem


@pytest.mark.parametrize(
    "replaces", [[Replaced(0, 3, 4)], [Replaced(0, 3, 4), Replaced(5, 9, 6)], [Replaced(0, 9, 9)]]
)
def test_a_compacted_file_whose_parts_do_not_make_it_up_is_a_problem(
    tmp_path: Path, replaces: list[Replaced]
) -> None:
    file = put(tmp_path, 0, 9)
    with path_of(tmp_path, file).open("rb") as source:
        table = pq.ParquetFile(source).read()
    with path_of(tmp_path, file).open("wb") as target:
        write_groups(target, [table], file, replaces)
    [problem] = check(tmp_path).problems
    assert "do not make up its offsets and rows" in problem


def test_a_file_that_goes_while_it_is_looked_at_is_no_problem_if_another_has_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_small_ones(tmp_path, 4)
    opened = LocalStore.open
    times = 0

    def open_late(self: LocalStore, name: str) -> object:
        nonlocal times
        times += 1
        if times == 1:
            compact(settings_of(tmp_path), now=LATER)
        return opened(self, name)

    monkeypatch.setattr(LocalStore, "open", open_late)
    report = check(tmp_path, deep=True)
    assert report.ok, report.problems
    assert [part.files for part in report.partitions] == [2]


def test_the_json_has_the_shape_that_is_documented(tmp_path: Path) -> None:
    put_small_ones(tmp_path, 2)
    said = orjson.loads(check(tmp_path, deep=True).json())
    assert said == {
        "format": 1,
        "verdict": "well",
        "problems": [],
        "on_their_way": [],
        "notes": [],
        "receipts": {"different": 6, "repeated_rows": 0},
        "asked_receipts": None,
        "partitions": [
            {
                "log_id": "memory",
                "topic": "asleep.events",
                "partition": 0,
                "log_first_offset": 6,
                "log_end_offset": 6,
                "first_landed": 0,
                "last_landed": 5,
                "files": 2,
                "superfluous": 0,
                "rows": 6,
                "without_row": 0,
                "lost": 0,
                "retired": 0,
                "missing": 0,
                "twice": 0,
                "not_yet_landed": 0,
                "problems": [],
            }
        ],
    }
    path_of(tmp_path, all_files(tmp_path)[0]).unlink()
    said = orjson.loads(verify(settings_of(tmp_path), connect=log_of(tmp_path).connect).json())
    assert said["verdict"] == "problems"
    assert said["problems"] == said["partitions"][0]["problems"] == [f"{AT}0..2: in no file"]
    unknown = orjson.loads(untold("the log is away"))
    assert unknown.keys() == said.keys()
    assert (unknown["verdict"], unknown["problems"]) == ("unknown", ["the log is away"])
