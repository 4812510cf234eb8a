"""Compares the lander with a bare poll-and-write loop over the same records of one real broker, in one run.

`python -m tests.benchmarks.lander [--records 600000] [--rounds 3]`

The bare loop polls with kafka-python and writes key, value, timestamp and headers to zstd Parquet files of
50,000 rows; it keeps no promise. The rounds are interleaved and their medians compared. Rows are counted in
the files written. Broker and landers share the machine: ratios mean more than numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ingest.event_log.kafka_cluster import ensure_topics
from ingest.lander import land
from ingest.records import ENVELOPE_VERSION, Header, Receipt, Topic, partition_key
from ingest.settings import Settings
from tests.kafka_broker import running_broker

BODY_BYTES = 430
ROWS_OF_A_FILE = 50_000
POLL_RECORDS = 5_000
TARGET_RATIO = 0.6
PATIENCE_SECONDS = 600.0


@dataclass(frozen=True)
class Run:
    """One way through all records: seconds from connecting to the end, and the peak of resident memory."""

    seconds: float
    peak_megabytes: float


def fill(settings: Settings, records: int) -> None:
    """Append so many records as the receiver does: a body of BODY_BYTES, ten headers."""
    ensure_topics(settings)
    producer = KafkaProducer(
        bootstrap_servers=settings.log_url.removeprefix("kafka://"),
        acks="all",
        linger_ms=20,
        batch_size=256 * 1024,
    )
    for number in track(range(records), "appending"):
        receipt, session = Receipt.now(), f"20260129-{number // 40:08}"
        head = f'{{"event":"SLEEP_STAGES","session_id":"{session}","stages":"'
        tail = "".join(str((number * digit) % 5) for digit in range(BODY_BYTES - len(head) - 2)) + '"}'
        headers = {
            Header.RECEIPT_ID: receipt.receipt_id,
            Header.RECEIVED_AT: str(receipt.received_at_us),
            Header.PATH: "/webhook",
            Header.SIGNATURE: "none",
            Header.ENVELOPE: ENVELOPE_VERSION,
            Header.USER_ID: f"user-{number % 5000:05}",
            Header.REMOTE_ADDRESS: "203.0.113.7",
            Header.CONTENT_TYPE: "application/json",
            Header.EVENT: "SLEEP_STAGES",
            Header.SESSION_ID: session,
        }
        producer.send(
            Topic.EVENTS.value,
            key=partition_key(f"user-{number % 5000:05}", session),
            value=(head + tail).encode(),
            headers=[(name.value, value.encode()) for name, value in headers.items()],
        )
    producer.flush()
    producer.close()


def bare_loop(settings: Settings) -> None:
    """Poll and write, nothing else: what the lander is held against."""
    folder = settings.raw_dir
    folder.mkdir(parents=True)
    consumer = KafkaConsumer(
        bootstrap_servers=settings.log_url.removeprefix("kafka://"),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    topic = Topic.EVENTS.value
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(partitions)
    left = sum(consumer.end_offsets(partitions).values())
    buffers: dict[TopicPartition, list[Any]] = {partition: [] for partition in partitions}
    while left:
        for partition, records in consumer.poll(timeout_ms=500, max_records=POLL_RECORDS).items():
            left -= len(records)
            buffers[partition].extend(records)
            if len(buffers[partition]) >= ROWS_OF_A_FILE:
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


def _run_one(kind: str, settings: Settings) -> None:
    """Run one of the two, and print what it took; runs in a process of its own."""
    begun = time.perf_counter()
    if kind == "bare":
        bare_loop(settings)
    else:
        land(settings, once=True)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(asdict(Run(seconds, peak))))


def _measure(kind: str, event_log_url: str, folder: Path, records: int) -> Run:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ASLEEP_")},
        "ASLEEP_DATA_DIR": str(folder),
        "ASLEEP_EVENT_LOG_URL": event_log_url,
        "ASLEEP_LAND_MAX_ROWS": str(ROWS_OF_A_FILE),
        "ASLEEP_LAND_MAX_AGE_SECONDS": "3600",
    }
    command = [sys.executable, "-m", "tests.benchmarks.lander", "--run", kind]
    run = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, check=True, timeout=PATIENCE_SECONDS
    )
    rows = sum(pq.read_metadata(path).num_rows for path in (folder / "raw").rglob("*.parquet"))
    if rows != records:
        raise RuntimeError(f"{kind}: {rows} rows are in the files, {records} are in the log")
    return Run(**json.loads(run.stdout))


def _compare(records: int, rounds: int) -> dict[str, list[Run]]:
    with tempfile.TemporaryDirectory(prefix="asleep-benchmark-") as name:
        folder = Path(name)
        with running_broker(folder / "kafka") as broker:
            fill(Settings(data_dir=folder, event_log_url=broker.url), records)
            runs: dict[str, list[Run]] = {"bare": [], "lander": []}
            for number in range(rounds):
                for kind, of_kind in runs.items():
                    of_kind.append(_measure(kind, broker.url, folder / f"{kind}-{number}", records))
            return runs


def _print(runs: dict[str, list[Run]], records: int) -> float:
    """Print the medians, and return the lander's rows per second over the bare loop's."""
    rates = {
        kind: records / statistics.median(run.seconds for run in of_kind) for kind, of_kind in runs.items()
    }
    table = Table(title=f"{records:,} records with bodies of {BODY_BYTES} bytes, medians of the rounds")
    for column in ("", "rows/s", "peak MB", "of bare"):
        table.add_column(column, justify="right" if column else "left")
    for kind, title in (("bare", "bare poll and write"), ("lander", "lander")):
        peak = statistics.median(run.peak_megabytes for run in runs[kind])
        table.add_row(title, f"{rates[kind]:,.0f}", f"{peak:,.0f}", f"{rates[kind] / rates['bare']:.2f}")
    Console().print(table)
    return rates["lander"] / rates["bare"]


def main() -> None:
    """Run the comparison; exit 1 when the lander misses TARGET_RATIO."""
    parser = argparse.ArgumentParser(description="Compare the lander with a bare poll-and-write loop.")
    parser.add_argument("--records", type=int, default=600_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", choices=["bare", "lander"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        _run_one(given.run, Settings())
        return
    ratio = _print(_compare(given.records, given.rounds), given.records)
    if ratio < TARGET_RATIO:
        sys.exit(f"the lander does {ratio:.2f} of the bare loop; the target is {TARGET_RATIO}")


if __name__ == "__main__":
    main()
