"""Measures a full and an incremental build of simulated nights against the staging query alone, in one run.

`python -m tests.benchmarks.warehouse [--nights 10000] [--new-nights 100] [--memory-limit 4GB] [--profile]`

The nights are those of the simulation in all dialects: a window every five minutes, one of 40 epochs every
forty, a final report. 500 of them are made and told again of other users until there are enough. Each
measurement is a process of its own, so that its peak memory is its own too; builds are published, and that
counts. The machine may be shared: ratios mean more than numbers. Whether memory is bounded, tells
`--nights 100000 --memory-limit 1200MB`: it takes a good half hour and 10 GB of disk.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import track
from rich.table import Table

from ingest.landed_files import landed_files
from ingest.raw_store import open_store
from ingest.records import Topic
from ingest.settings import Settings
from pipelines.database import build_lock, connect
from pipelines.models import load_models
from pipelines.publishing import publish
from pipelines.simulation.dialects import calls_of, rotation
from pipelines.simulation.recordings import simulated_nights
from pipelines.simulation.sleepers import population
from pipelines.statements import execute, statement
from pipelines.warehouse import build
from tests.benchmarks.warehouse_nights import peak_bytes
from tests.raw_events import Event, land

AS_OF: Final = datetime(2026, 3, 1, tzinfo=UTC)
DAYS: Final = 14
DIFFERENT_NIGHTS: Final = 500
ROWS_OF_A_FILE: Final = 50_000


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one child process did: seconds of the work alone, peak resident memory of the whole process."""

    what: str
    events: int
    seconds: float
    peak_bytes: int
    seconds_of_publishing: float
    seconds_of_models: dict[str, float]


def told_nights(nights: int) -> Iterator[list[Event]]:
    """The events of so many nights, in lists of one night each."""
    sleepers = population(1, max(1, DIFFERENT_NIGHTS // DAYS))
    dialects = rotation(sleeper.user_id for sleeper in sleepers)
    different = [
        [
            Event(body=call.body, user_id=call.headers["x-user-id"], received_at=call.send_at)
            for call in calls_of(night, dialects[night.user_id])
        ]
        for night in simulated_nights(sleepers, date(2026, 1, 5), DAYS)
    ]
    again = ((copy, events) for copy in itertools.count() for events in different)
    for copy, events in itertools.islice(again, nights):
        yield [_of_another_user(event, copy) for event in events]


def _of_another_user(event: Event, copy: int) -> Event:
    user_id = f"{copy:08}{(event.user_id or '')[8:]}"
    body = event.value.replace((event.user_id or "").encode(), user_id.encode())
    return replace(event, body=body, user_id=user_id)


def land_nights(settings: Settings, nights: Iterable[list[Event]]) -> None:
    """Land all of them in files as large as the lander's."""
    waiting: list[Event] = []
    for events in nights:
        waiting += events
        if len(waiting) >= ROWS_OF_A_FILE:
            land(settings, waiting)
            waiting = []
    if waiting:
        land(settings, waiting)


def measure(what: str, settings: Settings) -> Measurement:
    """Do one piece of work in this process."""
    started = time.perf_counter()
    of_publishing = 0.0
    of_models: dict[str, float] = {}
    if what == "staging":
        events = _stage(settings)
    else:
        with build_lock(settings):
            report = build(settings, as_of=AS_OF, full=what == "full build")
            built = time.perf_counter()
            publish(settings)
        of_publishing = time.perf_counter() - built
        events, of_models = report.row_counts["stg_events"], report.seconds
    seconds = time.perf_counter() - started
    return Measurement(what, events, seconds, peak_bytes(), of_publishing, of_models)


def _stage(settings: Settings) -> int:
    """The staging query by hand: the rows of the raw files into a temporary table."""
    [model] = [model for model in load_models() if model.name == "stg_events"]
    files = [str(settings.raw_dir / file.name) for file in landed_files(open_store(settings), Topic.EVENTS)]
    settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
    path = settings.warehouse_dir / "staged.duckdb"
    with connect(path, settings) as connection:
        execute(connection, statement("create_macros"), {})
        execute(connection, statement("create_touched"), {})
        parameters = {"event_files": files, "raw_dir": str(settings.raw_dir)}
        execute(connection, f"create temp table staged as {model.sql}", parameters)
        [(events,)] = connection.table("staged").aggregate("count(*)").fetchall()
    path.unlink()
    return int(events)


def in_a_child(what: str, settings: Settings) -> Measurement:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.warehouse", "--measure", what, str(settings.data_dir)]
    command += ["--memory-limit", settings.warehouse_memory_limit]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    fields: dict[str, Any] = json.loads(done.stdout)
    return Measurement(**fields)


def compare(nights: int, new_nights: int, settings: Settings) -> list[Measurement]:
    """Land, then measure: staging alone, a full build, an incremental one on top."""
    told = told_nights(nights + new_nights)
    land_nights(
        settings, track(itertools.islice(told, nights), "landing", total=nights, console=Console(stderr=True))
    )
    measurements = [in_a_child(what, settings) for what in ("staging", "full build")]
    land_nights(settings, told)
    return [*measurements, in_a_child("incremental build", settings)]


def show(measurements: list[Measurement], *, profile: bool) -> None:
    """Print what was measured, and how the full build compares with staging alone."""
    console = Console()
    staging, full, incremental = measurements
    table = Table("", "events", "seconds", "of these publishing", "events/s", "peak MB", "x staging")
    for one in (staging, full, incremental):
        events = one.events if one is not incremental else one.events - full.events
        table.add_row(
            one.what,
            f"{events:,}",
            f"{one.seconds:.1f}",
            f"{one.seconds_of_publishing:.1f}",
            f"{events / one.seconds:,.0f}",
            f"{one.peak_bytes / 1e6:,.0f}",
            f"{one.seconds / staging.seconds:.2f}",
        )
    console.print(table)
    if profile:
        models = Table("model", "full build, s", "incremental, s")
        for name, seconds in sorted(full.seconds_of_models.items(), key=lambda item: -item[1]):
            models.add_row(name, f"{seconds:.2f}", f"{incremental.seconds_of_models.get(name, 0.0):.2f}")
        console.print(models)


def main() -> None:
    """Run the comparison, or one measurement of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--nights", type=int, default=10_000)
    parser.add_argument("--new-nights", type=int, default=100)
    parser.add_argument("--memory-limit", default="4GB", help="ASLEEP_WAREHOUSE_MEMORY_LIMIT of all")
    parser.add_argument("--profile", action="store_true", help="seconds of each model")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "DATA_DIR"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        what, data_dir = given.measure
        measured = measure(what, Settings(data_dir=Path(data_dir), warehouse_memory_limit=given.memory_limit))
        sys.stdout.write(json.dumps({name: getattr(measured, name) for name in Measurement.__slots__}))
        return
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), warehouse_memory_limit=given.memory_limit)
        show(compare(given.nights, given.new_nights, settings), profile=given.profile)


if __name__ == "__main__":
    main()
