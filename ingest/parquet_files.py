"""The schema of landed Parquet files, how one is written, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.landed_files import LandedRange
from ingest.raw_store.base import RawStore, StoreUnavailable

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


_SORTED_BY: Final = ("user_id", "session_id")
_LANDED_LEVEL: Final = 1  # 3 saves 1 % of the size
_COMPACTED_LEVEL: Final = 6  # a fifth smaller than 1, for three times the time; read as fast

REPLACES: Final = b"replaces"
"""The key in the footer of compacted files; what is not compacted has its rows in the order of offsets."""


class Replaced(NamedTuple):
    """A run of offsets, first to last, that was a file of its own before compaction, and its rows."""

    first_offset: int
    last_offset: int
    rows: int


@dataclass(frozen=True, slots=True)
class Footer:
    """What a file says of itself: its range, its number of rows, the version of its schema.

    `replaces` is what a compacted file was made of, in the order of offsets; empty for any other.
    """

    range: LandedRange
    rows: int
    schema_version: str
    replaces: tuple[Replaced, ...] = ()


class UnreadableFile(Exception):
    """A file is not a Parquet file that the lander wrote; the text says which and why."""


def write_parquet(file: BinaryIO, table: pa.Table, landed: LandedRange) -> None:
    """Write a table of SCHEMA, and in its footer which range it is; does not sync."""
    write_groups(file, [table], landed)


def write_groups(
    file: BinaryIO,
    tables: Iterable[pa.Table],
    landed: LandedRange,
    replaces: Sequence[Replaced] | None = None,
) -> None:
    """As write_parquet, table by table; `replaces` is None but for a compacted file, and read at the end.

    Of a compacted file, whose rows are sorted by user and session, there are statistics of both.
    """
    rows = 0
    with pq.ParquetWriter(
        file,
        SCHEMA,
        compression="zstd",
        compression_level=_LANDED_LEVEL if replaces is None else _COMPACTED_LEVEL,
        use_dictionary=_REPEATING,
        column_encoding=_ASCENDING,
        write_statistics=[*_ASCENDING, *(_SORTED_BY[:1] if replaces is None else _SORTED_BY)],
    ) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=_ROW_GROUP_ROWS)
            rows += table.num_rows
        said = {field.name: str(getattr(landed, field.name)) for field in fields(LandedRange)}
        said |= {"rows": str(rows), "schema_version": SCHEMA_VERSION}
        if replaces is not None:
            said[REPLACES.decode()] = orjson.dumps([*map(list, replaces)]).decode()
        writer.add_key_value_metadata(said)


def read_footer(store: RawStore, name: str) -> Footer:
    """What the file says of itself; raises UnreadableFile, and StoreUnavailable."""
    place = f"{store.url}/{name}"
    try:
        with store.open(name) as file:
            metadata = pq.read_metadata(file)
    except StoreUnavailable:
        raise
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{place}: {error}") from error
    return footer_of(metadata, place)


def footer_of(metadata: pq.FileMetaData, place: str) -> Footer:
    """What the file at `place` says of itself in its metadata; raises UnreadableFile."""
    try:
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
            tuple(Replaced(*map(int, part)) for part in orjson.loads(said.get(REPLACES.decode(), "[]"))),
        )
    except KeyError as missing:
        raise UnreadableFile(f"{place}: its footer does not say {missing}") from missing
    except (TypeError, ValueError) as error:
        raise UnreadableFile(f"{place}: {error}") from error
    if footer.rows != metadata.num_rows:
        raise UnreadableFile(f"{place}: its footer says {footer.rows} rows, but it has {metadata.num_rows}")
    return footer


def write_empty(path: Path) -> None:
    """Write a file of SCHEMA without rows, for a reader that wants at least one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(SCHEMA.empty_table(), path)
