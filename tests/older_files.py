"""Raw files as the lander wrote them before it knew content_encoding and attempt_calls."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from ingest.parquet_files import SCHEMA

ADDED_SINCE: Final = ("content_encoding", "attempt_calls")


def make_older(path: Path) -> Path:
    """Rewrite a landed file in version 1 of the schema; what only the newer columns hold is lost."""
    with pq.ParquetFile(path) as file:
        table = file.read()
        said = file.metadata.metadata
    names = [name for name in SCHEMA.names if name not in ADDED_SINCE]
    older = table.select(names).replace_schema_metadata(
        {name: value for name, value in said.items() if not name.startswith(b"ARROW")}
        | {b"schema_version": b"1"}
    )
    pq.write_table(older, path, compression="zstd")
    return path
