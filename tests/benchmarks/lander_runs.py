"""Runs landers, or the bare loop they are held against, in processes of their own, and counts their rows.

`python -m tests.benchmarks.lander_runs bare|lander` is one such process; its settings are in its environment.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from kafka import KafkaConsumer, TopicPartition

from ingest.event_log.kafka_cluster import servers
from ingest.lander import land
from ingest.records import Topic
from ingest.settings import Settings

PATIENCE_SECONDS: Final = 1800.0
_ROWS_OF_A_FILE: Final = 50_000
_POLL_RECORDS: Final = 5_000


@dataclass(frozen=True)
class Run:
    """One way through all records: from connecting (of the first process) to the end (of the last one)."""

    rows: int
    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    """Of the process that took most."""
    start_seconds: float = 0.0
    """What it took to start, which is not in `seconds`."""

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds


def run_all(kind: str, settings: Settings, processes: int = 1) -> Run:
    """Land all there is, by so many processes of a kind that share one folder; raises RuntimeError."""
    with ended(started(kind, settings, processes)) as running:
        said = [json.loads(process.communicate(timeout=PATIENCE_SECONDS)[0]) for process in running]
    return Run(
        count_rows(settings.raw_dir),
        max(each["ended"] for each in said) - min(each["begun"] for each in said),
        sum(each["cpu_seconds"] for each in said),
        max(each["peak_megabytes"] for each in said),
    )


def started(kind: str, settings: Settings, processes: int = 1) -> list[subprocess.Popen[bytes]]:
    """So many processes of a kind, with these settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASLEEP_")} | {
        "ASLEEP_DATA_DIR": str(settings.data_dir),
        "ASLEEP_EVENT_LOG_URL": settings.event_log_url,
        "ASLEEP_LAND_MAX_AGE_SECONDS": str(settings.land_max_age_seconds),
        "ASLEEP_LANDER_PORT": "0",
    }
    command = [sys.executable, "-m", "tests.benchmarks.lander_runs", kind]
    return [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(processes)]


@contextmanager
def ended(running: list[subprocess.Popen[bytes]]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """These processes, none of which outlives the block; raises RuntimeError when one has failed."""
    try:
        yield running
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
            process.wait()
    failed = [process.returncode for process in running if process.returncode != 0]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(running)} processes failed: exit {failed}")


class MemoryWatch:
    """Samples the resident memory of a process, in MB, until the process ends."""

    def __init__(self, pid: int) -> None:
        self.megabytes: list[float] = []
        self._process = psutil.Process(pid)
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until the process has ended."""
        self._thread.join(PATIENCE_SECONDS)

    def _sample(self) -> None:
        while True:
            try:
                if self._process.status() == psutil.STATUS_ZOMBIE:
                    return
                self.megabytes.append(self._process.memory_info().rss / 2**20)
            except psutil.NoSuchProcess:
                return
            time.sleep(0.1)


def count_rows(folder: Path) -> int:
    """Rows in all the Parquet files there."""
    return sum(pq.read_metadata(path).num_rows for path in folder.rglob("*.parquet"))


def bare_loop(settings: Settings) -> None:
    """Poll and write, nothing else: key, value, timestamp and headers, in zstd files; it keeps no promise."""
    folder = settings.raw_dir
    folder.mkdir(parents=True)
    consumer = KafkaConsumer(
        bootstrap_servers=servers(settings), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    topic = Topic.EVENTS.value
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(partitions)
    left = sum(consumer.end_offsets(partitions).values())
    buffers: dict[TopicPartition, list[Any]] = {partition: [] for partition in partitions}
    while left:
        for partition, records in consumer.poll(timeout_ms=500, max_records=_POLL_RECORDS).items():
            left -= len(records)
            buffers[partition].extend(records)
            if len(buffers[partition]) >= _ROWS_OF_A_FILE:
                _write_bare(folder, buffers[partition])
                buffers[partition] = []
    for records in buffers.values():
        if records:
            _write_bare(folder, records)
    consumer.close()


def _write_bare(folder: Path, records: list[Any]) -> None:
    table = pa.table(
        {
            "key": pa.array([record.key for record in records], pa.binary()),
            "value": pa.array([record.value for record in records], pa.binary()),
            "timestamp": pa.array([record.timestamp for record in records], pa.timestamp("ms")),
            "headers": pa.array([record.headers for record in records], pa.map_(pa.string(), pa.binary())),
        }
    )
    path = folder / f"{records[0].partition}-{records[0].offset}.parquet"
    pq.write_table(table, path, compression="zstd")


def main() -> None:
    """Land all there is, or, as `fresh`, what comes until SIGTERM; print what it took."""
    kind = sys.argv[1]
    logging.basicConfig(level=logging.ERROR)
    begun = time.monotonic()
    if kind == "bare":
        bare_loop(Settings())
    else:
        land(Settings(), once=kind == "lander")
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "begun": begun,
                "ended": time.monotonic(),
                "cpu_seconds": used.ru_utime + used.ru_stime,
                "peak_megabytes": used.ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
