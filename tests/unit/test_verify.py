"""What `verify` finds, and that it finds nothing where nothing is wrong."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.event_log.base import LogUnavailable
from ingest.landed_files import LandedRange
from ingest.parquet_files import write_parquet
from ingest.verify import VerifyReport, verify
from tests.unit.memory_landing import ATTEMPTS, land_once, landed, path_of, settings_of
from tests.unit.memory_reader import EVENTS, ReadableLog

AT = "asleep.events[0]@"


@pytest.fixture
def log() -> ReadableLog:
    """A log with eight events and one attempt."""
    log = ReadableLog()
    log.append(8)
    log.append(1, ATTEMPTS)
    return log


@pytest.fixture
def files(tmp_path: Path, log: ReadableLog) -> list[LandedRange]:
    """The events landed as 0..2, 3..5, 6..7, and the attempt."""
    land_once(tmp_path, log, land_max_rows=3)
    return landed(tmp_path)


def check(
    tmp_path: Path, log: ReadableLog, *, deep: bool = False, receipts: Path | None = None
) -> VerifyReport:
    return verify(settings_of(tmp_path), deep=deep, receipts=receipts, connect=log.connect)


def rewrite(path: Path, table: pa.Table, landed_range: LandedRange) -> None:
    with path.open("wb") as file:
        write_parquet(file, table, landed_range)


@pytest.mark.usefixtures("files")
def test_all_that_is_accepted_and_landed_is_told_in_numbers(tmp_path: Path, log: ReadableLog) -> None:
    report = check(tmp_path, log)
    assert report.ok
    assert (report.problems, report.notes, report.receipts) == ((), (), None)
    attempts, events = report.partitions
    assert (attempts.source, attempts.files, attempts.rows) == (ATTEMPTS, 1, 1)
    assert events.log is not None
    assert (events.log.first_offset, events.log.end_offset) == (0, 8)
    assert (events.first_landed, events.last_landed, events.files, events.rows) == (0, 7, 3, 8)
    assert (events.missing, events.twice, events.lost, events.without_row, events.not_yet_landed) == (0,) * 5


@pytest.mark.usefixtures("files")
def test_the_reader_never_polls_and_is_closed(tmp_path: Path, log: ReadableLog) -> None:
    check(tmp_path, log)
    assert log.opened[-1].polls == 0
    assert log.opened[-1].closed


def test_nothing_accepted_and_nothing_landed_is_well(tmp_path: Path) -> None:
    assert check(tmp_path, ReadableLog()).ok


def test_without_the_log_nothing_is_proven(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable):
        check(tmp_path, ReadableLog(unavailable=True))


@pytest.mark.parametrize(("index", "lost"), [(0, "0..2"), (1, "3..5")])
def test_a_deleted_file_is_missed(
    tmp_path: Path, log: ReadableLog, files: list[LandedRange], index: int, lost: str
) -> None:
    path_of(tmp_path, files[index]).unlink()
    report = check(tmp_path, log)
    assert report.problems == (f"{AT}{lost}: in no file",)
    assert report.partitions[1].missing == 3


def test_a_deleted_last_file_reads_as_not_yet_landed(
    tmp_path: Path, log: ReadableLog, files: list[LandedRange]
) -> None:
    path_of(tmp_path, files[2]).unlink()
    report = check(tmp_path, log)
    assert report.problems == (f"{AT}6..7: not yet landed",)
    assert not report.ok


@pytest.mark.usefixtures("files")
def test_lag_is_told(tmp_path: Path, log: ReadableLog) -> None:
    log.append(5)
    report = check(tmp_path, log)
    assert report.problems == (f"{AT}8..12: not yet landed",)
    assert (report.on_their_way, report.faults) == (report.problems, ())
    assert report.partitions[1].not_yet_landed == 5


@pytest.mark.usefixtures("files")
def test_what_the_log_dropped_before_anybody_noticed_is_told(tmp_path: Path, log: ReadableLog) -> None:
    log.append(5)
    log.drop_before(11)
    report = check(tmp_path, log)
    assert report.problems == (
        f"{AT}8..10: in no file, and no longer in the log",
        f"{AT}11..12: not yet landed",
    )


def test_a_doubled_range_is_found(tmp_path: Path, log: ReadableLog, files: list[LandedRange]) -> None:
    other = LandedRange("memory", *EVENTS, 3, 4, files[0].received_date)
    rewrite(path_of(tmp_path, other), pq.ParquetFile(path_of(tmp_path, files[1])).read().slice(0, 2), other)
    report = check(tmp_path, log, deep=True)
    assert report.ok
    [note] = report.notes
    assert note.startswith("asleep.events[0]: 1 files hold nothing that others do not hold")
    events = report.partitions[1]
    assert (events.twice, events.superfluous, events.rows) == (2, 1, 8)
    assert report.receipts is not None
    assert report.receipts.repeated_rows == 1


def test_a_copy_in_the_folder_of_another_date_is_found(
    tmp_path: Path, log: ReadableLog, files: list[LandedRange]
) -> None:
    folder = path_of(tmp_path, files[1]).parent.parent / "received_date=2020-01-01"
    folder.mkdir()
    shutil.copy(path_of(tmp_path, files[1]), folder)
    report = check(tmp_path, log)
    [problem] = report.problems
    assert "of another date" in problem
    assert "2020-01-01" in problem
    assert report.partitions[1].superfluous == 1


def test_a_truncated_file_is_named(tmp_path: Path, log: ReadableLog, files: list[LandedRange]) -> None:
    os.truncate(path_of(tmp_path, files[1]), 500)
    [problem] = check(tmp_path, log).problems
    assert problem.startswith("unreadable: ")
    assert path_of(tmp_path, files[1]).name in problem


def test_a_file_renamed_to_another_range_is_found(
    tmp_path: Path, log: ReadableLog, files: list[LandedRange]
) -> None:
    path = path_of(tmp_path, files[2])
    path.rename(path.with_name(path.name.replace("7.parquet", "8.parquet")))
    log.append(1)
    [problem] = check(tmp_path, log).problems
    assert f"its footer says it is {AT}6..7" in problem


def test_a_file_renamed_to_no_name_of_ours_is_found(
    tmp_path: Path, log: ReadableLog, files: list[LandedRange]
) -> None:
    path_of(tmp_path, files[0]).rename(path_of(tmp_path, files[0]).with_name("copy.parquet"))
    lost, stranger = check(tmp_path, log).problems
    assert lost == f"{AT}0..2: in no file"
    assert "copy.parquet: not a name that the lander gives" in stranger


def test_more_rows_than_offsets_are_found(tmp_path: Path, log: ReadableLog, files: list[LandedRange]) -> None:
    rows = pq.ParquetFile(path_of(tmp_path, files[0])).read()
    rewrite(path_of(tmp_path, files[0]), pa.concat_tables([rows, rows]), files[0])
    [problem] = check(tmp_path, log).problems
    assert problem.endswith("has 6 rows for 3 offsets")


def test_offsets_without_a_record_are_noted_and_no_problem(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(2)
    log.skip(1)
    log.append(2)
    land_once(tmp_path, log)
    report = check(tmp_path, log, deep=True)
    assert report.ok
    assert report.notes == (f"{AT}0..4: the log had no record at 1 of these offsets",)
    assert report.partitions[0].without_row == 1


def test_a_recorded_gap_is_a_problem_until_somebody_accepts_it(tmp_path: Path, log: ReadableLog) -> None:
    log.drop_before(2)
    land_once(tmp_path, log)
    report = check(tmp_path, log)
    [problem] = report.problems
    assert problem.startswith(f"{AT}0..1: the log dropped these")
    assert report.partitions[1].lost == 2
    [gap] = (tmp_path / "raw").rglob("gap+*.json")
    gap.write_text(json.dumps({**json.loads(gap.read_text()), "accepted_because": "a test of ours"}))
    report = check(tmp_path, log)
    assert report.ok
    assert report.notes == (f"{AT}0..1: lost, accepted because: a test of ours",)
    gap.write_text("{")
    assert "is not JSON" in check(tmp_path, log).problems[0]


@pytest.mark.usefixtures("files")
def test_files_beyond_the_end_of_the_log_are_found(tmp_path: Path) -> None:
    anew = ReadableLog()
    anew.append(6)
    anew.append(1, ATTEMPTS)
    assert check(tmp_path, anew).problems == (
        f"{AT}6..7: landed, but beyond the end of the log; was it made anew?",
    )


@pytest.mark.usefixtures("files")
def test_files_of_a_partition_that_the_log_does_not_have_are_found(tmp_path: Path) -> None:
    smaller = ReadableLog()
    smaller.append(8)
    [problem] = check(tmp_path, smaller).problems
    assert problem == "asleep.attempts[0]: landed, but the log has no such partition"


def test_files_of_another_log_are_held_against_each_other_only(
    tmp_path: Path, files: list[LandedRange]
) -> None:
    moved = ReadableLog(log_id="new")
    moved.append(2)
    land_once(tmp_path, moved)
    report = check(tmp_path, moved)
    assert report.ok
    assert [(found.log_id, found.log is None) for found in report.partitions] == [
        ("memory", True),
        ("memory", True),
        ("new", False),
    ]
    path_of(tmp_path, files[1]).unlink()
    assert check(tmp_path, moved).problems == (f"{AT}3..5: in no file",)
