"""Rewrites the build database where most of its file is holes.

DuckDB uses the blocks of deleted rows again, and seldom gives them back: after one build that replaced many
rows the file may stay twice as long as what it holds, and every publishing copies the holes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import duckdb

from pipelines.database import build_path, connect, fresh_path, remove_database, replace_database

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.settings import Settings

SMALLEST_BYTES: Final = 64 * 2**20
"""Below this the holes cost nothing that anybody would notice."""

log = logging.getLogger(__name__)


def is_hollow(path: Path) -> bool:
    """Whether more than half of the blocks of a closed database are free, and it is not small."""
    with duckdb.connect(path, read_only=True) as connection:
        [(block_bytes, blocks, free)] = connection.sql(
            "select block_size, total_blocks, free_blocks from pragma_database_size()"
        ).fetchall()
    return bool(2 * free > blocks and blocks * block_bytes >= SMALLEST_BYTES)


def compact(settings: Settings) -> None:
    """Put a copy without holes in the place of build.duckdb; call it closed, with the build lock held.

    Tables, views and comments are the same. Killed at any point, it leaves the one file or the other.
    """
    target, fresh = build_path(settings), fresh_path(settings)
    remove_database(fresh)
    with connect(fresh, settings) as connection:
        [(name,)] = connection.sql("select current_database()").fetchall()
        # rows that arrived together stay together: queries of a few days then read a few row groups
        connection.execute("set preserve_insertion_order = true")
        connection.execute(f"attach '{_quoted(target)}' as hollow (read_only)")
        connection.execute(f'copy from database hollow to "{name}"')
        connection.execute("checkpoint")
    log.info("build.duckdb had more holes than rows: %s bytes, now %s", _size(target), _size(fresh))
    replace_database(fresh, target)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _size(path: Path) -> int:
    return path.stat().st_size
