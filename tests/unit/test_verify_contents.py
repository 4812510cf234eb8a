"""What `verify` finds inside the files: their offsets, their schema, and the receipts asked for."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.event_log.base import Partition
from ingest.landed_files import LandedRange
from ingest.parquet_files import SCHEMA, write_parquet
from ingest.verify import VerifyReport, verify
from tests.older_files import make_older
from tests.unit.memory_landing import ATTEMPTS, footers, land_once, landed, path_of, settings_of
from tests.unit.memory_reader import ReadableLog


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


def test_a_deep_look_counts_repeated_receipts_and_is_well_with_them(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(3)
    log.append(2, Partition("asleep.events", 1))
    log.append(1, headers=[])
    land_once(tmp_path, log)
    report = check(tmp_path, log, deep=True)
    assert report.ok
    assert report.receipts is not None
    assert (report.receipts.different, report.receipts.repeated_rows) == (3, 2)


@pytest.mark.parametrize(
    ("offsets", "problem"),
    [
        ([3, 4, 6], "the offsets inside are 3..6"),
        ([3, 4, 4], "not in order, each once"),
        ([4, 3, 5], "not in order, each once"),
    ],
)
def test_a_deep_look_finds_other_offsets_than_the_name_says(
    tmp_path: Path, log: ReadableLog, files: list[LandedRange], offsets: list[int], problem: str
) -> None:
    table = pq.ParquetFile(path_of(tmp_path, files[1])).read()
    column = SCHEMA.get_field_index("log_offset")
    changed = table.set_column(column, SCHEMA.field(column), pa.array(offsets, pa.int64()))
    rewrite(path_of(tmp_path, files[1]), changed, files[1])
    assert check(tmp_path, log).ok
    [found] = check(tmp_path, log, deep=True).problems
    assert found.endswith(problem)


@pytest.mark.usefixtures("files")
def test_each_receipt_asked_for_must_be_landed(tmp_path: Path, log: ReadableLog) -> None:
    receipts = tmp_path / "receipts.txt"
    receipts.write_text("receipt-1\n\nreceipt-0\nreceipt-1\n")
    report = check(tmp_path, log, receipts=receipts)
    assert report.ok
    assert report.asked_receipts is not None
    assert (report.asked_receipts.asked, report.asked_receipts.missing, report.asked_receipts.repeated) == (
        2,
        (),
        1,
    )
    receipts.write_text("receipt-1\n" + "".join(f"lost-{number:02}\n" for number in range(12)))
    report = check(tmp_path, log, receipts=receipts)
    assert report.problems[0] == "receipt lost-00: not landed"
    assert report.problems[10:] == ("2 more receipts: not landed",)


def test_an_absent_file_of_receipts_is_an_error(tmp_path: Path, log: ReadableLog) -> None:
    with pytest.raises(FileNotFoundError):
        check(tmp_path, log, receipts=tmp_path / "absent.txt")


def test_files_of_the_older_schema_are_well_and_landing_goes_on_behind_them(
    tmp_path: Path, log: ReadableLog, files: list[LandedRange]
) -> None:
    for file in files:
        make_older(path_of(tmp_path, file))
    assert check(tmp_path, log, deep=True).ok
    log.append(3)
    land_once(tmp_path, log)
    report = check(tmp_path, log, deep=True)
    assert report.ok
    assert [footer.schema_version for footer in footers(tmp_path)] == ["1", "1", "1", "2"]
    assert report.partitions[1].rows == 11


def test_a_file_of_a_schema_that_is_not_known_is_found(
    tmp_path: Path, log: ReadableLog, files: list[LandedRange], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.parquet_files.SCHEMA_VERSION", "3")
    rewrite(path_of(tmp_path, files[0]), pq.ParquetFile(path_of(tmp_path, files[0])).read(), files[0])
    assert check(tmp_path, log).problems == (f"{path_of(tmp_path, files[0])}: its schema is of version 3",)
