"""Measures one more day on a short, a longer and a long history, publishing included, in one run.

`python -m tests.benchmarks.warehouse_days [--users 50] [--history 10 30 100] [--rounds 3] [--models]`

The day is the same in all: the histories are the days before it. Each history is built once and copied; the
day is landed on a copy, built and published in a process of its own, in turns, and the median of the rounds
counts. The machine may be shared: ratios and seconds of processor time mean more than seconds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console
from rich.table import Table

from ingest.settings import Settings
from pipelines import statements, warehouse
from pipelines.database import build_lock
from pipelines.models import Model
from pipelines.publishing import publish
from tests.benchmarks.warehouse_nights import (
    after_day,
    bytes_written,
    cpu_seconds,
    events_by_day,
    mib,
    peak_bytes,
)
from tests.raw_events import Event, land


@dataclass(frozen=True, slots=True)
class Day:
    """What one build and its publishing cost."""

    build_seconds: float
    publish_seconds: float
    cpu_seconds: float
    peak_bytes: int
    bytes_of_build: int
    bytes_of_publishing: int
    touched_sessions: int
    rows: dict[str, int]
    """Rows deleted and inserted, by model."""
    seconds: dict[str, float]
    """Seconds by model."""


class _Rows:
    """Counts the rows that a build deletes and inserts, by model."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.by_model: Counter[str] = Counter()
        self._refresh = statements.refresh
        self._model = ""
        patch.setattr(statements, "execute", self._execute)
        patch.setattr(warehouse, "refresh", self._refresh_and_name)

    def _refresh_and_name(
        self, connection: duckdb.DuckDBPyConnection, model: Model, parameters: Mapping[str, object]
    ) -> None:
        self._model = model.name
        self._refresh(connection, model, parameters)

    def _execute(
        self, connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object]
    ) -> None:
        for prepared in duckdb.extract_statements(sql):
            connection.execute(prepared, {name: parameters[name] for name in prepared.named_parameters})
            if prepared.type in {duckdb.StatementType.INSERT, duckdb.StatementType.DELETE}:
                self.by_model[self._model] += sum(count for (count,) in connection.fetchall())


def measure(settings: Settings, as_of: datetime) -> Day:
    """Build and publish in this process."""
    started, cpu, written = time.perf_counter(), cpu_seconds(), bytes_written()
    with pytest.MonkeyPatch.context() as patch, build_lock(settings):
        rows = _Rows(patch)
        report = warehouse.build(settings, as_of=as_of)
        built, written_by_build = time.perf_counter(), bytes_written()
        publish(settings)
    return Day(
        build_seconds=built - started,
        publish_seconds=time.perf_counter() - built,
        cpu_seconds=cpu_seconds() - cpu,
        peak_bytes=peak_bytes(),
        bytes_of_build=written_by_build - written,
        bytes_of_publishing=bytes_written() - written_by_build,
        touched_sessions=report.touched_sessions,
        rows=dict(rows.by_model),
        seconds=report.seconds,
    )


def in_a_child(folder: Path, as_of: datetime) -> Day:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", __spec__.name, "--measure", str(folder), as_of.isoformat()]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    fields: dict[str, Any] = json.loads(done.stdout)
    return Day(**fields)


def middle(days: list[Day]) -> Day:
    """The median of the rounds, number by number."""

    def median(name: str) -> Any:
        return statistics.median(getattr(day, name) for day in days)

    names = ["build_seconds", "publish_seconds", "cpu_seconds"]
    seconds = {model: statistics.median(day.seconds[model] for day in days) for model in days[0].seconds}
    return replace(days[0], seconds=seconds, **{name: median(name) for name in names})


def compare(users: int, histories: list[int], rounds: int, folder: Path) -> dict[int, Day]:
    """The day after each history, built on copies of one full build."""
    last = max(histories)
    new: list[Event] = []
    for number, new in enumerate(events_by_day(users, last + 1)):
        for history in histories:
            if last - history <= number < last:
                land(Settings(data_dir=folder / str(history)), new)
    for history in histories:
        in_a_child(folder / str(history), after_day(last - 1))
    found: dict[int, list[Day]] = {history: [] for history in histories}
    for _ in range(rounds):
        for history in histories:
            copy = folder / "copy"
            shutil.copytree(folder / str(history), copy, symlinks=True)
            land(Settings(data_dir=copy), new)
            found[history].append(in_a_child(copy, after_day(last)))
            shutil.rmtree(copy)
    return {history: middle(measured) for history, measured in found.items()}


def show(found: Mapping[int, Day], *, models: bool) -> None:
    """Print what the day cost on each history, and the ratio of the longest to the shortest."""
    console = Console()
    first, last = found[min(found)], found[max(found)]
    table = Table("one more day on", *(f"{history} days" for history in found), "ratio")

    def add(name: str, values: list[float], texts: list[str]) -> None:
        table.add_row(name, *texts, f"{values[-1] / values[0]:.2f}" if values[0] else "")

    for name in ("build_seconds", "publish_seconds", "cpu_seconds"):
        seconds = [getattr(day, name) for day in found.values()]
        add(name.replace("_", " "), seconds, [f"{value:.2f}" for value in seconds])
    total = [day.build_seconds + day.publish_seconds for day in found.values()]
    add("build and publish", total, [f"{value:.2f}" for value in total])
    for name in ("bytes_of_build", "bytes_of_publishing", "peak_bytes"):
        counts = [getattr(day, name) for day in found.values()]
        add(name.replace("_", " ").replace("bytes", "MiB"), counts, [mib(count) for count in counts])
    rows = [sum(day.rows.values()) for day in found.values()]
    add("rows deleted and inserted", list(rows), [f"{count:,}" for count in rows])
    console.print(table)
    if models:
        by_model = Table("model", *(f"{history} days: s, rows" for history in found))
        for name in sorted(last.seconds, key=lambda model: -last.seconds[model]):
            cells = [f"{day.seconds[name]:.3f} {day.rows.get(name, 0):9,}" for day in found.values()]
            grows = last.rows.get(name, 0) > 1.3 * first.rows.get(name, 0)
            by_model.add_row(f"[bold]{name}[/]" if grows else name, *cells)
        console.print(by_model)
        console.print("bold: more rows touched on the longest history than on the shortest")


def main() -> None:
    """Run the comparison, or one measurement of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--history", type=int, nargs="+", default=[10, 30, 100], help="days before the day")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", action="store_true", help="seconds and rows of each model")
    parser.add_argument("--measure", nargs=2, metavar=("DATA_DIR", "AS_OF"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        data_dir, as_of = given.measure
        day = measure(Settings(data_dir=Path(data_dir)), datetime.fromisoformat(as_of))
        sys.stdout.write(json.dumps(asdict(day)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = compare(given.users, sorted(given.history), given.rounds, Path(folder))
    show(found, models=given.models)


if __name__ == "__main__":
    main()
