"""The lander's numbers: plain tallies where it lands, Prometheus's forms where somebody looks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator
from importlib.metadata import version
from threading import Lock
from typing import Final, Literal

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ingest.batches import Batch, Close
from ingest.event_log.base import Partition
from ingest.land_report import LandReport
from ingest.landed_files import LandedRange
from ingest.lander_state import LanderState
from ingest.metrics.numbers import Durations

BUCKETS_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From a small file on a good disk to the longest wait for another lander, and more."""

_WHERE: Final = ("topic", "partition")
_COUNTERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "files": ("Files landed, by why they were closed.", (*_WHERE, "because")),
    "rows": ("Rows in them.", _WHERE),
    "value_bytes": ("Bytes of the records' values in them.", _WHERE),
    "file_bytes": ("Bytes of the files.", _WHERE),
    "gaps": ("Ranges of offsets that the log had dropped before they were landed.", _WHERE),
    "lost_offsets": ("Offsets in these gaps.", _WHERE),
    "unreadable_records": ("Records landed as a row that holds nothing but their fault.", _WHERE),
    "overtaken_files": ("Files given up because another lander had landed their offsets.", _WHERE),
    "rebalances": ("Times that partitions were assigned to this lander, or revoked.", ("change",)),
    "failed_commits": ("Times that the group did not hear how far this lander is; nothing is lost.", ()),
}
_FROM_ASSIGNMENT_ON: Final = tuple(name for name, (_, labels) in _COUNTERS.items() if labels == _WHERE)


class LanderMetrics(Collector):
    """Counts of one lander process, and what its state says; a collector for a Prometheus registry.

    `report` is what it landed, for whoever called it; only the thread that lands may look at that.
    """

    def __init__(self, state: LanderState) -> None:
        self.report = LandReport()
        self._state = state
        self._lock = Lock()
        self._counts: dict[str, Counter[tuple[str, ...]]] = {name: Counter() for name in _COUNTERS}
        self._durations = Durations(BUCKETS_SECONDS)
        self._landed_at: dict[Partition, float] = {}
        self._counts["rebalances"] |= {("assigned",): 0, ("revoked",): 0}
        self._counts["failed_commits"][()] = 0

    def landed(self, landed: LandedRange, batch: Batch, why: Close, size_bytes: int, seconds: float) -> None:
        """A batch became a file of so many bytes, which took so many seconds."""
        self.report.add(landed, batch.rows, size_bytes)
        with self._lock:
            where = _labels(batch.source)
            self._counts["files"][*where, why.value] += 1
            self._counts["rows"][where] += batch.rows
            self._counts["value_bytes"][where] += batch.value_bytes
            self._counts["file_bytes"][where] += size_bytes
            self._durations.observe(seconds)
            self._landed_at[batch.source] = time.time()

    def rebalanced(self, change: Literal["assigned", "revoked"], partitions: Collection[Partition]) -> None:
        """Partitions came or went."""
        with self._lock:
            self._counts["rebalances"][change,] += 1
            for name in _FROM_ASSIGNMENT_ON:
                for partition in partitions:
                    self._counts[name][_labels(partition)] += 0

    def lost(self, source: Partition, offsets: int) -> None:
        """A gap of so many offsets was recorded."""
        with self._lock:
            self._counts["gaps"][_labels(source)] += 1
            self._counts["lost_offsets"][_labels(source)] += offsets

    def unreadable(self, source: Partition) -> None:
        """A row stands for a record that can not be read."""
        self._add("unreadable_records", source)

    def overtaken(self, source: Partition) -> None:
        """Another lander came first."""
        self._add("overtaken_files", source)

    def not_committed(self) -> None:
        """The group did not take a commit."""
        with self._lock:
            self._counts["failed_commits"][()] += 1

    def collect(self) -> Iterator[Metric]:
        """Everything as Prometheus's metric families."""
        with self._lock:
            families = [*self._counters(), *self._landings()]
        yield from families
        yield from self._pauses()
        yield from self._partitions()
        yield InfoMetricFamily("asleep_lander", "What runs here.", {"version": version("asleep-pipeline")})

    def _add(self, name: str, source: Partition) -> None:
        with self._lock:
            self._counts[name][_labels(source)] += 1

    def _counters(self) -> Iterator[Metric]:
        for name, (text, labels) in _COUNTERS.items():
            family = CounterMetricFamily(f"asleep_lander_{name}_total", text, labels=labels)
            for values, count in self._counts[name].items():
                family.add_metric(values, count)
            yield family

    def _landings(self) -> Iterator[Metric]:
        durations = HistogramMetricFamily(
            "asleep_lander_landing_duration_seconds",
            "Time to make a batch a file, durable under its name.",
            labels=[],
        )
        self._durations.add_to(durations, [])
        yield durations
        landed_at = GaugeMetricFamily(
            "asleep_lander_last_landed_timestamp_seconds", "When a file was last landed.", labels=_WHERE
        )
        for source, moment in self._landed_at.items():
            landed_at.add_metric(_labels(source), moment)
        yield landed_at

    def _pauses(self) -> Iterator[Metric]:
        present = GaugeMetricFamily(
            "asleep_lander_paused", "Whether nothing is landed now because of this part.", labels=["part"]
        )
        times = CounterMetricFamily("asleep_lander_pauses_total", "How often that began.", labels=["part"])
        seconds = CounterMetricFamily(
            "asleep_lander_paused_seconds_total",
            "How long that lasted, the present pause included.",
            labels=["part"],
        )
        for part, pause in self._state.pauses().items():
            present.add_metric([part], pause.problem is not None)
            times.add_metric([part], pause.times)
            seconds.add_metric([part], pause.seconds)
        yield from (present, times, seconds)

    def _partitions(self) -> Iterator[Metric]:
        backlogs, held = self._state.backlogs(), self._state.held()
        for name, text, values in (
            (
                "lag_records",
                "Offsets in the log that are not landed.",
                {s: b.records for s, b in backlogs.items()},
            ),
            (
                "lag_seconds",
                "Age of the oldest record that is not landed; absent while none of them was read.",
                {source: backlog.seconds for source, backlog in backlogs.items()},
            ),
            ("buffered_rows", "Rows in memory only.", {source: part.rows for source, part in held.items()}),
            ("buffered_bytes", "Bytes of these rows.", {s: part.memory_bytes for s, part in held.items()}),
        ):
            family = GaugeMetricFamily(f"asleep_lander_{name}", text, labels=_WHERE)
            for source, value in values.items():
                if value is not None:
                    family.add_metric(_labels(source), value)
            yield family
        waiting = GaugeMetricFamily(
            "asleep_lander_waiting",
            "Whether a partition is not landed because the log does not say where to begin.",
            labels=_WHERE,
        )
        waits = self._state.waiting()
        for source in sorted({*held, *waits}):
            waiting.add_metric(_labels(source), source in waits)
        yield waiting
        yield GaugeMetricFamily(
            "asleep_lander_assigned_partitions", "Partitions that it lands, or did before a pause.", len(held)
        )


def _labels(source: Partition) -> tuple[str, str]:
    return source.topic, str(source.partition)
