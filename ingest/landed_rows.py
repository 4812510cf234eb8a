"""Reads the rows of landed files piece by piece, whatever the version of their schema, as the present one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.coverage import Share
from ingest.parquet_files import READABLE_VERSIONS, SCHEMA, UnreadableFile
from ingest.raw_store.base import RawStore, StoreUnavailable

_PIECE_BYTES: Final = 8 * 1024 * 1024
_PIECE_ROWS: Final = 16_384


def read_rows(store: RawStore, share: Share) -> Iterator[pa.Table]:
    """The rows of a file for which it counts, in its own order, in tables of SCHEMA of a few MB.

    Raises UnreadableFile, FileNotFoundError where the file is not there any more, and StoreUnavailable.
    """
    place = f"{store.url}/{share.file.name}"
    try:
        with store.open(share.file.name) as source, pq.ParquetFile(source) as parquet:
            version = (parquet.metadata.metadata or {}).get(b"schema_version", b"").decode()
            if version not in READABLE_VERSIONS:
                raise UnreadableFile(f"{place}: its schema is of version {version or 'unknown'}")
            for batch in parquet.iter_batches(_rows_of_a_piece(parquet.metadata), use_threads=False):
                table = as_present(pa.Table.from_batches([batch]))
                yield table if share.is_whole else _within(table, share)
    except (FileNotFoundError, StoreUnavailable):
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(f"{place}: {error}") from error


def as_present(table: pa.Table) -> pa.Table:
    """A table of any readable version, with the columns of SCHEMA; those that it lacks are null."""
    if table.schema.equals(SCHEMA):
        return table.replace_schema_metadata()
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in SCHEMA
    ]
    return pa.table(columns, schema=SCHEMA)


def _within(table: pa.Table, share: Share) -> pa.Table:
    offsets = table["log_offset"]
    is_ours = pc.and_(
        pc.greater_equal(offsets, share.first_offset), pc.less_equal(offsets, share.last_offset)
    )
    return table.filter(is_ours)


def _rows_of_a_piece(metadata: pq.FileMetaData) -> int:
    """How many rows are about as large as a piece may be; rows of megabytes are read one by one."""
    size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    rows: int = max(1, min(_PIECE_ROWS, _PIECE_BYTES * metadata.num_rows // max(size, 1)))
    return rows
