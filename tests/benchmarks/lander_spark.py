"""Spark Structured Streaming over the same records, where it is installed."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Final

from ingest.event_log.kafka_cluster import servers
from ingest.records import Topic
from ingest.settings import Settings
from tests.benchmarks.lander_runs import PATIENCE_SECONDS, Run, count_rows
from tests.kafka_jars import copied_jars

_HERE: Final = Path(__file__).resolve().parent / "spark"
SPARK_PYTHON: Final = _HERE.parents[2] / ".cache" / "spark" / "bin" / "python"
HOW_TO_GET_IT: Final = (
    "needs pyspark in an environment of its own, and Maven for Spark's Kafka source:\n"
    "    python3 -m venv .cache/spark && .cache/spark/bin/pip install pyspark==4.1.1"
)


def has_pyspark(python: Path) -> bool:
    """Whether this Python is there and has pyspark."""
    if not python.exists():
        return False
    found = subprocess.run([python, "-c", "import pyspark"], capture_output=True, check=False)
    return found.returncode == 0


def spark(python: Path, settings: Settings) -> Run:
    """Land the events by Spark on two cores; its start does not count. Raises BrokerUnavailable.

    Its memory is not measured: it is what the JVM is given.
    """
    jars = copied_jars(_HERE / "pom.xml", "spark-jars")
    settings.data_dir.mkdir(parents=True)
    log = settings.data_dir / "spark.log"
    begun = time.monotonic()
    with log.open("wb") as errors:
        run = subprocess.run(
            [
                *(python, _HERE / "land.py", ",".join(servers(settings))),
                *(Topic.EVENTS.value, settings.data_dir, jars),
            ],
            stdout=subprocess.PIPE,
            stderr=errors,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    if run.returncode != 0:
        raise RuntimeError(f"Spark failed: {log.read_text(errors='replace')[-3000:]}")
    seconds = float(run.stdout)
    start = time.monotonic() - begun - seconds
    return Run(count_rows(settings.raw_dir), seconds, 0.0, 0.0, start)
