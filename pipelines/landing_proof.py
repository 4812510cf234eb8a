"""The newest proof that every offset is landed once, kept for the next build to show to analysts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.settings import Settings

SCHEMA: Final = pa.schema(
    [
        ("log_id", pa.string()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        *(
            (name, pa.int64())
            for name in ("log_first_offset", "log_end_offset", "first_landed", "last_landed")
        ),
        *((name, pa.int64()) for name in ("files", "superfluous", "rows", "without_row", "lost", "retired")),
        *((name, pa.int64()) for name in ("missing", "twice", "not_yet_landed")),
        ("problems", pa.list_(pa.string())),
        ("proved_at", pa.timestamp("us", tz="UTC")),
    ]
)


def proof_path(settings: Settings) -> Path:
    """Where the newest proof is."""
    return settings.warehouse_dir / "landing_proof.parquet"


def write_proof(settings: Settings, rows: Sequence[Mapping[str, object]], proved_at: datetime) -> None:
    """Keep the rows of a verdict, one a partition, in place of those kept before."""
    path = proof_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    pq.write_table(pa.Table.from_pylist([{**row, "proved_at": proved_at} for row in rows], SCHEMA), fresh)
    fresh.replace(path)


def write_no_proof(path: Path) -> None:
    """Write a proof of nothing, for a reader that wants at least one file."""
    pq.write_table(SCHEMA.empty_table(), path)
