"""Measures the lander on a real broker: against a bare loop, against Spark, its memory, its freshness.

`python -m tests.benchmarks.lander [bare] [backlog] [freshness]`; without a name, all three.

bare: one lander against a bare poll-and-write loop of kafka-python and pyarrow, which keeps no promise.
backlog: what one and two landers take to catch up, and their memory; beside Spark where it is installed.
freshness: how old records are when their file is there, and what it costs to have them younger.

Rows are counted in the files written, rounds are interleaved and their medians compared. Broker and landers
share the machine: ratios mean more than numbers.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from ingest.settings import Settings
from tests.benchmarks.lander_fresh import freshness
from tests.benchmarks.lander_log import BODY_BYTES, fill
from tests.benchmarks.lander_runs import MemoryWatch, Run, ended, run_all, started
from tests.benchmarks.lander_spark import HOW_TO_GET_IT, SPARK_PYTHON, has_pyspark, spark
from tests.kafka_broker import running_broker

_OF_BARE: Final = 0.85
_OF_SPARK: Final = 1.0
_MEGABYTES: Final = 300.0
_LONG_RECORDS: Final = 10_000_000
_FRESH_SECONDS: Final = 12.0

_console: Final = Console()


class Bench:
    """A broker that holds so many records, for one measurement; every run has a folder of its own."""

    def __init__(self, folder: Path, event_log_url: str, records: int) -> None:
        self.records = records
        self._folder = folder
        self._event_log_url = event_log_url
        self._runs = 0
        if records:
            fill(self.settings(), records)

    def settings(self, max_age_seconds: float = 3600.0) -> Settings:
        """Settings of a new run."""
        self._runs += 1
        return Settings(
            data_dir=self._folder / str(self._runs),
            event_log_url=self._event_log_url,
            land_max_age_seconds=max_age_seconds,
        )

    def rounds(self, rounds: int, kinds: dict[str, Callable[[Settings], Run]]) -> dict[str, list[Run]]:
        """Runs of each kind, in turns; raises RuntimeError where one did not land every record once."""
        runs: dict[str, list[Run]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind, land in kinds.items():
                runs[kind].append(land(self.settings()))
                rows = runs[kind][-1].rows
                if rows != self.records:
                    raise RuntimeError(f"{kind}: {rows} rows are in the files, {self.records} in the log")
        return runs


@contextmanager
def _bench(records: int) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="asleep-benchmark-") as name:
        folder = Path(name)
        with running_broker(folder / "kafka") as broker:
            yield Bench(folder, broker.url, records)


def _rate(runs: list[Run]) -> float:
    return statistics.median(run.rate for run in runs)


def _print(title: str, runs: dict[str, list[Run]], beside: str | None) -> None:
    table = Table(title=title)
    for column in ("", "rows/s", "CPU us/row", "peak MB", f"of {beside}" if beside else ""):
        table.add_column(column, justify="right" if column else "left")
    for kind, of_kind in runs.items():
        cpu = statistics.median(run.cpu_seconds / run.rows * 1e6 for run in of_kind)
        peak = max(run.peak_megabytes for run in of_kind)
        table.add_row(
            kind,
            f"{_rate(of_kind):,.0f}",
            f"{cpu:.1f}" if cpu else "-",
            f"{peak:,.0f}" if peak else "-",
            f"{_rate(of_kind) / _rate(runs[beside]):.2f}" if beside else "",
        )
    _console.print(table)


def _bare(given: argparse.Namespace) -> list[str]:
    with _bench(given.records) as bench:
        runs = bench.rounds(
            given.rounds, {"bare loop": partial(run_all, "bare"), "lander": partial(run_all, "lander")}
        )
    _print(f"{given.records:,} records with bodies of {BODY_BYTES} bytes", runs, "bare loop")
    ratio = _rate(runs["lander"]) / _rate(runs["bare loop"])
    return [] if ratio >= _OF_BARE else [f"the lander does {ratio:.2f} of the bare loop, not {_OF_BARE}"]


def _backlog(given: argparse.Namespace) -> list[str]:
    kinds: dict[str, Callable[[Settings], Run]] = {
        "one lander": partial(run_all, "lander"),
        "two landers": partial(run_all, "lander", processes=2),
    }
    with_spark = has_pyspark(given.spark_python)
    if with_spark:
        kinds["Spark"] = partial(spark, given.spark_python)
    else:
        _console.print(f"Spark is left out: {given.spark_python} {HOW_TO_GET_IT}", highlight=False)
    records = _LONG_RECORDS if given.long else given.backlog
    with _bench(records) as bench:
        runs = bench.rounds(given.rounds if not given.long else 1, kinds)
        memory = _memory(bench.settings())
    _print(f"catching up with {records:,} records", runs, "Spark" if with_spark else None)
    thirds = [max(memory[len(memory) * part // 3 : len(memory) * (part + 1) // 3]) for part in range(3)]
    _console.print("peak memory in each third of the way:", *(f"{third:,.0f} MB" for third in thirds))
    missed = []
    if max(memory) >= _MEGABYTES:
        missed.append(f"a lander took {max(memory):.0f} MB, not less than {_MEGABYTES:.0f}")
    if with_spark:
        _console.print(f"Spark took {runs['Spark'][0].start_seconds:.1f} s to start, not counted above")
        ratio = _rate(runs["two landers"]) / _rate(runs["Spark"])
        if ratio < _OF_SPARK:
            missed.append(f"two landers do {ratio:.2f} of Spark, not {_OF_SPARK}")
    return missed


def _memory(settings: Settings) -> list[float]:
    """Resident MB of one lander on its way through the backlog."""
    with ended(started("lander", settings)) as [lander]:
        watch = MemoryWatch(lander.pid)
        watch.join()
    return watch.megabytes


def _freshness(given: argparse.Namespace) -> list[str]:
    table = Table(title=f"{given.rate:,} records a second for {given.seconds:.0f} s")
    for column in ("files no older than", "median age", "worst age", "files/minute", "rows/file", "CPU"):
        table.add_column(column, justify="right")
    missed = []
    for max_age in (10.0, 2.0):
        with _bench(0) as bench:
            found = freshness(bench.settings(max_age), given.rate, given.seconds)
        table.add_row(
            f"{max_age:.0f} s",
            f"{found.median_seconds:.1f} s",
            f"{found.worst_seconds:.1f} s",
            f"{found.files_a_minute:.0f}",
            f"{found.rows_of_a_file:,.0f}",
            f"{found.cpu_share:.1%}",
        )
        if max_age == 10.0 and found.worst_seconds > _FRESH_SECONDS:
            missed.append(f"a record was landed after {found.worst_seconds:.1f} s, not {_FRESH_SECONDS:.0f}")
    _console.print(table)
    return missed


def main() -> None:
    """Run what was asked for; exit 1, saying which, where a target is missed."""
    parts = {"bare": _bare, "backlog": _backlog, "freshness": _freshness}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="|".join(parts), help="default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=600_000, help="bare: records in the log")
    parser.add_argument("--backlog", type=int, default=2_000_000, help="backlog: records in the log")
    parser.add_argument("--long", action="store_true", help="backlog: 10 million records, one round")
    parser.add_argument("--spark-python", type=Path, default=SPARK_PYTHON, help="a Python that has pyspark")
    parser.add_argument("--rate", type=int, default=200, help="freshness: records a second")
    parser.add_argument("--seconds", type=float, default=40.0, help="freshness: how long to append")
    given = parser.parse_args()
    unknown = set(given.parts).difference(parts)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    missed = [miss for name in given.parts or parts for miss in parts[name](given)]
    if missed:
        sys.exit("; ".join(missed))


if __name__ == "__main__":
    main()
