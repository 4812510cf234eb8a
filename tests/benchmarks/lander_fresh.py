"""How old a record is when its file is there, and what it costs to have it younger."""

from __future__ import annotations

import signal
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from ingest.records import Topic
from ingest.settings import Settings
from tests.benchmarks.lander_log import Appending
from tests.benchmarks.lander_runs import PATIENCE_SECONDS, count_rows, ended, started


@dataclass(frozen=True)
class Freshness:
    """Seconds from append to landed file, and the files and CPU that one minute took."""

    median_seconds: float
    worst_seconds: float
    files_a_minute: float
    rows_of_a_file: float
    cpu_share: float
    """Seconds of CPU per second."""


def freshness(settings: Settings, records_a_second: int, seconds: float) -> Freshness:
    """Append steadily for so long while one lander lands; every row counts."""
    topic = settings.raw_dir / Topic.EVENTS.value
    with ended(started("fresh", settings)) as [lander], Appending(settings) as appending:
        appending.up_to(1)
        appending.flush()
        _wait_for(topic, 1)  # it has started, and has joined its group
        process = psutil.Process(lander.pid)
        before, begun, cpu = _files(topic), time.monotonic(), _cpu_seconds(process)
        while (age := time.monotonic() - begun) < seconds:
            appending.up_to(1 + int(age * records_a_second))
            time.sleep(0.02)
        appending.flush()
        _wait_for(topic, appending.records)
        lasted, cpu = time.monotonic() - begun, _cpu_seconds(process) - cpu
        lander.send_signal(signal.SIGTERM)
        lander.communicate(timeout=PATIENCE_SECONDS)
    ages: list[float] = []
    files = _files(topic) - before
    for path in files:
        # The inode changes for the last time when the file gets its name.
        landed = path.stat().st_ctime
        appended = pq.read_table(path, columns=["log_appended_at"]).column(0).cast("int64").to_pylist()
        ages += [landed - moment / 1000 for moment in appended]
    return Freshness(
        statistics.median(ages), max(ages), len(files) / lasted * 60, len(ages) / len(files), cpu / lasted
    )


def _wait_for(topic: Path, rows: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while count_rows(topic) < rows:
        if time.monotonic() > deadline:
            raise RuntimeError("the lander does not land what was appended")
        time.sleep(0.2)


def _files(topic: Path) -> set[Path]:
    return set(topic.rglob("*.parquet"))


def _cpu_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return used.user + used.system
