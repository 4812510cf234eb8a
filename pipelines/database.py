"""The private database that builds write: where it is, who may open it, and what it remembers of itself."""

from __future__ import annotations

import fcntl
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import duckdb
import pyarrow as pa

from ingest.settings import Settings

STORAGE_VERSION = "v1.5.0"
"""Clients of DuckDB 1.5 can read the file, too."""

PUBLISHED_NAME = "warehouse.duckdb"

log = logging.getLogger(__name__)


class BuildError(Exception):
    """The build can not start or go on; the text says what to do."""


@dataclass(frozen=True, slots=True)
class PreviousBuilds:
    """What earlier builds left behind: rows of build_info and loaded_offsets; none without a database."""

    rows: pa.Table | None = None
    loaded_offsets: pa.Table | None = None
    last_build_id: int = 0
    models_hash: str | None = None


def build_path(settings: Settings) -> Path:
    """The private database that only builds open."""
    return settings.warehouse_dir / "build.duckdb"


def fresh_path(settings: Settings) -> Path:
    """The database that a full build makes, until it takes the place of the other."""
    return settings.warehouse_dir / "build.new.duckdb"


def versions_dir(settings: Settings) -> Path:
    """Folder of the published versions, one numbered folder each."""
    return settings.warehouse_dir / "versions"


def published_versions(settings: Settings) -> list[int]:
    """Numbers of the whole versions on disk, oldest first; a copy that was cut off is none."""
    return sorted(
        int(path.parent.name)
        for path in versions_dir(settings).glob(f"*/{PUBLISHED_NAME}")
        if path.parent.name.isdigit()
    )


@contextmanager
def build_lock(settings: Settings) -> Iterator[None]:
    """Hold the one writer's place, over all processes; waits for a build that is running."""
    settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
    with _lock_path(settings).open("w") as file:
        if not _is_taken_at_once(file):
            log.info("another build is running; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build_is_running(settings: Settings) -> bool:
    """Whether somebody holds the one writer's place now."""
    if not _lock_path(settings).exists():
        return False
    with _lock_path(settings).open("w") as file:
        return not _is_taken_at_once(file)


def _lock_path(settings: Settings) -> Path:
    return settings.warehouse_dir / "build.lock"


def _is_taken_at_once(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _spill_dir(settings: Settings) -> Path:
    return settings.warehouse_dir / "spill"


def clear_leftovers(settings: Settings) -> None:
    """Delete what killed builds left behind: half a database, and all that they had spilled to disk.

    Call it with the build lock held.
    """
    remove_database(fresh_path(settings))
    if _spill_dir(settings).exists():
        shutil.rmtree(_spill_dir(settings))


def connect(path: Path, settings: Settings) -> duckdb.DuckDBPyConnection:
    """Open a build's database for writing; all times in SQL are UTC unless a zone is named."""
    connection = duckdb.connect(
        path,
        config={
            "storage_compatibility_version": STORAGE_VERSION,
            "memory_limit": settings.warehouse_memory_limit,
            "temp_directory": str(_spill_dir(settings)),
            "preserve_insertion_order": False,
        },
    )
    connection.execute("set TimeZone = 'UTC'")
    if settings.raw_url:
        from ingest.raw_store.objects import file_system  # noqa: PLC0415  most never need it, and it is large

        connection.register_filesystem(file_system(settings.raw_url))
    return connection


def previous_builds(path: Path) -> PreviousBuilds:
    """What the database at `path` says of the builds that made it; nothing where it can not be read.

    Raises BuildError while somebody else has it open.
    """
    if not path.exists():
        return PreviousBuilds()
    is_clean = not path.with_name(path.name + ".wal").exists()
    try:
        with duckdb.connect(path, read_only=is_clean) as connection:
            rows = connection.sql("from build_info order by build_id").to_arrow_table()
            knows_offsets = connection.sql("from duckdb_tables() where table_name = 'loaded_offsets'")
            loaded = connection.table("loaded_offsets").to_arrow_table() if knows_offsets else None
    except duckdb.Error as error:
        if "Could not set lock" in str(error):
            raise BuildError(f"{path} is open elsewhere, and only builds may open it: {error}") from error
        log.warning("the build database can not be read and is made anew: %s", error)
        return PreviousBuilds()
    if not rows.num_rows:
        return PreviousBuilds()
    newest = rows.slice(rows.num_rows - 1).to_pylist()[0]
    return PreviousBuilds(rows, loaded, newest["build_id"], newest["models_hash"])


def remove_database(path: Path) -> None:
    """Delete a database and its write-ahead log, where there are any."""
    for name in (path.name + ".wal", path.name):
        path.with_name(name).unlink(missing_ok=True)


def replace_database(fresh: Path, target: Path) -> None:
    """Put a closed database in another's place.

    The old write-ahead log goes first: without it the old database is an earlier state of itself, and beside
    the new database it would be poison.
    """
    target.with_name(target.name + ".wal").unlink(missing_ok=True)
    fresh.replace(target)
