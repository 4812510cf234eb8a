"""The landed Parquet files: their schema, their names, what each says of itself, and which there are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.event_log.base import Partition

SCHEMA_VERSION: Final = "2"
READABLE_VERSIONS: Final = frozenset({"1", SCHEMA_VERSION})
"""Files of version 1 lack content_encoding and attempt_calls, which are null to their readers."""

HEADERS: Final = pa.list_(
    pa.struct([pa.field("name", pa.string(), nullable=False), pa.field("value", pa.binary())])
)

SCHEMA: Final = pa.schema(
    [
        ("receipt_id", pa.string()),
        ("received_at", pa.timestamp("us", tz="UTC")),
        ("user_id", pa.string()),
        ("event", pa.string()),
        ("session_id", pa.string()),
        ("body", pa.string()),
        ("body_bytes", pa.binary()),
        ("remote_address", pa.string()),
        ("content_type", pa.string()),
        ("content_encoding", pa.string()),
        ("path", pa.string()),
        ("signature", pa.string()),
        ("envelope", pa.string()),
        ("reason", pa.string()),
        ("status", pa.int16()),
        ("attempt_body_bytes", pa.int64()),
        ("attempt_calls", pa.int64()),
        ("headers_other", HEADERS),
        ("landing_error", pa.string()),
        pa.field("log_id", pa.string(), nullable=False),
        pa.field("log_topic", pa.string(), nullable=False),
        pa.field("log_partition", pa.int32(), nullable=False),
        pa.field("log_offset", pa.int64(), nullable=False),
        pa.field("log_appended_at", pa.timestamp("ms", tz="UTC"), nullable=False),
    ]
)
"""Columns of a landed file, one row per record of the log.

`body` is the record's value where that is valid UTF-8, `body_bytes` where it is not. `headers_other` holds
every header that has no column of its own, or could not be read into it, as it came. `landing_error` says
what could not be read, and is null for a record as the receiver writes them. `attempt_body_bytes` is there
for attempts and for events that came compressed, `attempt_calls` for attempts that sum up several calls.
"""

_ROW_GROUP_ROWS: Final = 122_880  # what one DuckDB thread reads at a time
_REPEATING: Final = [
    *("user_id", "event", "session_id", "remote_address", "content_type", "content_encoding", "path"),
    *("signature", "envelope", "reason", "status", "landing_error", "log_id", "log_topic", "log_partition"),
]
_ASCENDING: Final = {
    "receipt_id": "DELTA_BYTE_ARRAY",
    "received_at": "DELTA_BINARY_PACKED",
    "log_offset": "DELTA_BINARY_PACKED",
    "log_appended_at": "DELTA_BINARY_PACKED",
}

_NAME: Final = re.compile(r"([A-Za-z0-9._-]+)\+(0|[1-9][0-9]*)\+([0-9]{20})\+([0-9]{20})\.parquet", re.ASCII)
_LOG_FOLDER: Final = re.compile(r"log=([A-Za-z0-9_-]+)", re.ASCII)
_DATE_FOLDER: Final = re.compile(r"received_date=([0-9]{4}-[0-9]{2}-[0-9]{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class LandedRange:
    """A run of offsets of one partition in one file: what the file's path says, and its footer too.

    Every offset from `first_offset` to `last_offset` is accounted for by this file: its record is a row, or
    the log has none there. `received_date` is the UTC date of the first row; no row is of a newer one, but
    rows that came late over midnight may be of an older one.
    """

    log_id: str
    topic: str
    partition: int
    first_offset: int
    last_offset: int
    received_date: date

    @property
    def source(self) -> Partition:
        """The partition whose records these are."""
        return Partition(self.topic, self.partition)

    @property
    def label(self) -> str:
        """The range for people: topic[partition]@first..last."""
        return offsets_label(self.source, self.first_offset, self.last_offset)

    def path_in(self, raw_dir: Path) -> Path:
        """Where the file of this range is."""
        name = f"{self.topic}+{self.partition}+{self.first_offset:020}+{self.last_offset:020}.parquet"
        return log_folder(raw_dir, self.topic, self.log_id) / f"received_date={self.received_date}" / name


@dataclass(frozen=True, slots=True)
class LandedFile(LandedRange):
    """A landed file by its path alone; nothing of it has been read."""

    path: Path


@dataclass(frozen=True, slots=True)
class Footer:
    """What a file says of itself: its range, its number of rows, the version of its schema."""

    range: LandedRange
    rows: int
    schema_version: str


class UnreadableFile(Exception):
    """A file is not a Parquet file that the lander wrote; the text says which and why."""


def offsets_label(partition: Partition, first_offset: int, last_offset: int) -> str:
    """A range of offsets for people: topic[partition]@first..last."""
    return f"{partition.topic}[{partition.partition}]@{first_offset}..{last_offset}"


def log_folder(raw_dir: Path, topic: str, log_id: str) -> Path:
    """Folder of what was landed of one topic of one log."""
    return raw_dir / topic / f"log={log_id}"


def landed_files(raw_dir: Path, topic: str) -> list[LandedFile]:
    """The landed files of a topic, by log, partition and offset; names that are not ours are left out."""
    found = [
        LandedFile(log_id, topic, int(name[2]), int(name[3]), int(name[4]), received_date, folder / name[0])
        for log_id, received_date, folder in _date_folders(raw_dir, topic)
        for name in map(_NAME.fullmatch, _names(folder))
        if name is not None and name[1] == topic
    ]
    found.sort(key=lambda file: (file.log_id, file.partition, file.first_offset, file.last_offset, file.path))
    return found


def last_landed(raw_dir: Path, log_id: str, partition: Partition) -> tuple[int, Path] | None:
    """The newest offset of this partition that is in a file, and that file's folder; from names alone."""
    prefix = f"{partition.topic}+{partition.partition}+"
    newest = max(
        (
            (name[-28:-8], folder)
            for owner, _, folder in _date_folders(raw_dir, partition.topic)
            if owner == log_id
            for name in _names(folder)
            if name.startswith(prefix) and _NAME.fullmatch(name)
        ),
        default=None,
    )
    return None if newest is None else (int(newest[0]), newest[1])


def _names(folder: Path) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208  a path per name would take as long again


def _date_folders(raw_dir: Path, topic: str) -> Iterator[tuple[str, date, Path]]:
    """Log, date and path of every folder of landed files of a topic."""
    for folder in (raw_dir / topic).glob("log=*/received_date=*/"):
        log = _LOG_FOLDER.fullmatch(folder.parent.name)
        day = _DATE_FOLDER.fullmatch(folder.name)
        if log is not None and day is not None:
            with suppress(ValueError):
                yield log[1], date.fromisoformat(day[1]), folder


def write_parquet(file: BinaryIO, table: pa.Table, landed: LandedRange) -> None:
    """Write a table of SCHEMA, and in its footer which range it is; does not sync."""
    said = {
        **{field.name: str(getattr(landed, field.name)) for field in fields(LandedRange)},
        "rows": str(table.num_rows),
        "schema_version": SCHEMA_VERSION,
    }
    with pq.ParquetWriter(
        file,
        SCHEMA,
        compression="zstd",
        use_dictionary=_REPEATING,
        column_encoding=_ASCENDING,
        write_statistics=list(_ASCENDING),
    ) as writer:
        writer.write_table(table, row_group_size=_ROW_GROUP_ROWS)
        writer.add_key_value_metadata(said)


def read_footer(path: Path) -> Footer:
    """What the file says of itself; raises UnreadableFile."""
    try:
        metadata = pq.read_metadata(path)
        said = {key.decode(): value.decode() for key, value in (metadata.metadata or {}).items()}
        footer = Footer(
            LandedRange(
                said["log_id"],
                said["topic"],
                int(said["partition"]),
                int(said["first_offset"]),
                int(said["last_offset"]),
                date.fromisoformat(said["received_date"]),
            ),
            int(said["rows"]),
            said["schema_version"],
        )
    except KeyError as missing:
        raise UnreadableFile(f"{path}: its footer does not say {missing}") from missing
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path}: {error}") from error
    if footer.rows != metadata.num_rows:
        raise UnreadableFile(f"{path}: its footer says {footer.rows} rows, but it has {metadata.num_rows}")
    return footer


def write_empty(path: Path) -> None:
    """Write a file of SCHEMA without rows, for a reader that wants at least one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(SCHEMA.empty_table(), path)
