"""Landed files made straight from numbers, and what is in a folder of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.coverage import shares
from ingest.event_log.base import Partition
from ingest.landed_files import LandedRange, landed_files
from ingest.parquet_files import SCHEMA, write_parquet
from ingest.raw_store.local import LocalStore
from ingest.records import Topic
from tests.unit.memory_reader import EVENTS, ReadableLog

DAY = date(2026, 1, 29)
NOON = datetime(2026, 1, 29, 12, tzinfo=UTC)
LATER = datetime(2026, 2, 3, 3, 30, tzinfo=UTC)
"""A moment at which all hours and days of the files made here are closed."""

LOG_ID = "memory"


def store_of(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "raw")


def row(
    offset: int, source: Partition = EVENTS, appended: datetime = NOON, body: str | None = None
) -> dict[str, Any]:
    """A row as the lander writes one: every third without a session, every fifth without a user."""
    nothing = dict.fromkeys(SCHEMA.names)
    return nothing | {
        "receipt_id": f"receipt-{source.partition}-{offset}",
        "received_at": appended,
        "user_id": None if offset % 5 == 0 else f"user-{offset * 7 % 4}",
        "session_id": None if offset % 3 == 0 else f"session-{offset * 11 % 6}",
        "body": f'{{"number": {offset}}}' if body is None else body,
        "headers_other": [{"name": "traceparent", "value": b"\xff"}] if offset % 4 == 0 else None,
        "log_id": LOG_ID,
        "log_topic": source.topic,
        "log_partition": source.partition,
        "log_offset": offset,
        "log_appended_at": appended,
    }


def put(
    tmp_path: Path,
    first: int,
    last: int,
    source: Partition = EVENTS,
    *,
    day: date = DAY,
    appended: datetime | None = None,
    without: Sequence[int] = (),
    body: str | None = None,
) -> LandedRange:
    """Make the landed file of these offsets; the log had no record at those of `without`."""
    moment = appended or NOON + (day - DAY)
    made = LandedRange(LOG_ID, *source, first, last, day)
    offsets = [offset for offset in range(first, last + 1) if offset not in without]
    table = pa.Table.from_pylist([row(offset, source, moment, body) for offset in offsets], SCHEMA)
    path = tmp_path / "raw" / made.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_parquet(file, table, made)
    return made


def put_small_ones(tmp_path: Path, count: int, rows: int = 3, **how: Any) -> list[LandedRange]:
    """Make so many files of so many rows each, one behind the other."""
    return [put(tmp_path, number * rows, number * rows + rows - 1, **how) for number in range(count)]


def all_files(tmp_path: Path) -> list[LandedRange]:
    return [file for topic in Topic for file in landed_files(store_of(tmp_path), topic)]


def rows_of(tmp_path: Path, file: LandedRange) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.ParquetFile(tmp_path / "raw" / file.name).read().to_pylist()
    return found


def counted_rows(tmp_path: Path) -> dict[tuple[str, int, int], list[dict[str, Any]]]:
    """The rows that count, by topic, partition and offset: one each, if all is well."""
    found: dict[tuple[str, int, int], list[dict[str, Any]]] = {}
    for share in shares(all_files(tmp_path)):
        for each in rows_of(tmp_path, share.file):
            if share.first_offset <= each["log_offset"] <= share.last_offset:
                key = (share.file.topic, share.file.partition, each["log_offset"])
                found.setdefault(key, []).append(each)
    return found


def counted_offsets(tmp_path: Path) -> set[tuple[str, int, int]]:
    """The offsets that are accounted for, by topic and partition; with those that have no record."""
    return {
        (share.file.topic, share.file.partition, offset)
        for share in shares(all_files(tmp_path))
        for offset in range(share.first_offset, share.last_offset + 1)
    }


def ranges(tmp_path: Path) -> list[tuple[int, int]]:
    return [(file.first_offset, file.last_offset) for file in all_files(tmp_path)]


def later(**by: float) -> datetime:
    return NOON + timedelta(**by)


def log_of(tmp_path: Path) -> ReadableLog:
    """A log that ends where the files end, and holds nothing any more."""
    log = ReadableLog(log_id=LOG_ID)
    for file in all_files(tmp_path):
        log.records[file.source] = []
        log.ends[file.source] = max(log.ends.get(file.source, 0), file.last_offset + 1)
    return log
