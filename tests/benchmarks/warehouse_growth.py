"""Measures how build.duckdb grows over daily builds, each published, against a fresh copy of what it holds.

`python -m tests.benchmarks.warehouse_growth [--users 30] [--days 100]`

One line per ten days: size of the file, its free blocks, size of a copy into an empty file, seconds of build
and publishing. A file that only grows with what it holds keeps its ratio to the copy.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from ingest.settings import Settings
from pipelines.database import build_lock, build_path
from pipelines.publishing import publish
from pipelines.warehouse import build
from tests.benchmarks.warehouse_nights import after_day, bytes_written, events_by_day, mib
from tests.raw_events import land


@dataclass(frozen=True, slots=True)
class Step:
    """The file after one day's build."""

    day: int
    seconds: float
    written_bytes: int
    file_bytes: int
    copy_bytes: int
    free_blocks: int
    total_blocks: int


def copy_bytes(path: Path) -> int:
    """Size of a new file with the same contents."""
    copy = path.with_name("copy.duckdb")
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as old (read_only)")
        connection.execute(f"attach '{copy}' as new (storage_version 'v1.5.0')")
        connection.execute("copy from database old to new")
    size = copy.stat().st_size
    copy.unlink()
    return size


def grow(users: int, days: int, settings: Settings) -> Iterator[Step]:
    """Build and publish day after day."""
    for number, events in enumerate(events_by_day(users, days)):
        land(settings, events)
        started, written = time.perf_counter(), bytes_written()
        with build_lock(settings):
            build(settings, as_of=after_day(number))
            publish(settings)
        seconds, written = time.perf_counter() - started, bytes_written() - written
        path = build_path(settings)
        with duckdb.connect(path, read_only=True) as connection:
            [(total, free)] = connection.sql(
                "select total_blocks, free_blocks from pragma_database_size()"
            ).fetchall()
        size = path.stat().st_size
        yield Step(number + 1, seconds, written, size, copy_bytes(path), free, total)


def main() -> None:
    """Print a line per ten days."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--users", type=int, default=30)
    parser.add_argument("--days", type=int, default=100)
    given = parser.parse_args()
    table = Table("day", "s", "MiB written", "file MiB", "fresh copy MiB", "file/copy", "free of all blocks")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for step in grow(given.users, given.days, Settings(data_dir=Path(folder))):
            ratio = step.file_bytes / step.copy_bytes
            worst = max(worst, ratio)
            if step.day % 10 in {0, 1}:
                table.add_row(
                    str(step.day),
                    f"{step.seconds:.2f}",
                    mib(step.written_bytes),
                    mib(step.file_bytes),
                    mib(step.copy_bytes),
                    f"{ratio:.2f}",
                    f"{step.free_blocks} of {step.total_blocks}",
                )
    console = Console()
    console.print(table)
    console.print(f"largest file/copy: {worst:.2f}")


if __name__ == "__main__":
    main()
