"""The receiver's numbers: plain tallies where a call passes, Prometheus's forms where somebody looks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import accumulate
from typing import Final, Protocol

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ingest.records import Reason

BUCKETS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""From an answer out of memory to the longest that a caller may have to wait."""


class SpoolNumbers(Protocol):
    """What the spooling writer tells of itself; read on its event loop, once a second or at a look."""

    @property
    def spooled_records(self) -> int:
        """Records on the spool now."""
        ...

    @property
    def spooled_bytes(self) -> int:
        """Their bytes."""
        ...

    @property
    def oldest_age_seconds(self) -> float:
        """Age of the oldest of them; 0 where there is none."""
        ...

    @property
    def spooled_total(self) -> int:
        """Records that went to the spool since the start."""
        ...

    @property
    def drained_total(self) -> int:
        """Records that went from a spool to the log since the start."""
        ...

    @property
    def is_circuit_open(self) -> bool:
        """Whether the log is not tried for each record now."""
        ...


class Durations:
    """A histogram of seconds: how many fell into each bucket, by its upper bound, and their sum."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float] = BUCKETS_SECONDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def add_to(self, family: HistogramMetricFamily, labels: list[str]) -> None:
        """Add what was counted to a family, as Prometheus wants it: each bucket with all below it."""
        bounds = (*map(str, self._bounds), "+Inf")
        family.add_metric(labels, list(zip(bounds, accumulate(self._counts), strict=True)), self._sum)


class Metrics(Collector):
    """Counts of one receiver process; used on its event loop only; a collector for a Prometheus registry.

    `reasons` are those that can be answered: each is shown from the start. `pending_attempts` gives how many
    refused calls are counted in memory only.
    """

    def __init__(
        self, reasons: Iterable[Reason], spool: SpoolNumbers, pending_attempts: Callable[[], int]
    ) -> None:
        self._spool = spool
        self._pending_attempts = pending_attempts
        self._rejected: dict[str, int] = dict.fromkeys((reason.value for reason in reasons), 0)
        self._accepted = 0
        self._abandoned = 0
        self._repeated = 0
        self._accepted_durations = Durations()
        self._rejected_durations = Durations()
        self._append_durations = Durations()
        self.in_flight = 0
        """Calls that have arrived and are not answered yet; the webhook counts it up and down."""
        self.appended = self._append_durations.observe
        """Called with the seconds that an event took to be durable, in the log or on the spool."""

    def accepted(self, seconds: float) -> None:
        """A call was answered 200, so many seconds after it arrived."""
        self._accepted += 1
        self._accepted_durations.observe(seconds)

    def rejected(self, reason: Reason, seconds: float) -> None:
        """A call was answered with anything else, so many seconds after it arrived."""
        self._rejected[reason] = self._rejected.get(reason, 0) + 1
        self._rejected_durations.observe(seconds)

    def abandoned(self) -> None:
        """A caller left before its call was complete, so that nobody was answered."""
        self._abandoned += 1

    def repeated(self) -> None:
        """An accepted event was seen before."""
        self._repeated += 1

    def collect(self) -> Iterator[Metric]:
        """Everything as Prometheus's metric families."""
        requests = CounterMetricFamily(
            "asleep_receiver_requests_total",
            "Calls to the webhook: accepted (200), rejected (and why), or abandoned by the caller.",
            labels=["verdict", "reason"],
        )
        requests.add_metric(["accepted", ""], self._accepted)
        requests.add_metric(["abandoned", ""], self._abandoned)
        for reason, calls in self._rejected.items():
            requests.add_metric(["rejected", reason], calls)
        yield requests

        answers = HistogramMetricFamily(
            "asleep_receiver_request_duration_seconds",
            "Time from a call's arrival to its answer.",
            labels=["verdict"],
        )
        self._accepted_durations.add_to(answers, ["accepted"])
        self._rejected_durations.add_to(answers, ["rejected"])
        yield answers

        appends = HistogramMetricFamily(
            "asleep_receiver_append_duration_seconds",
            "Time until an event was durable, in the event log or on the spool.",
            labels=[],
        )
        self._append_durations.add_to(appends, [])
        yield appends

        yield from self._simple_families()
        yield InfoMetricFamily("asleep_receiver", "What runs here.", {"version": version("asleep-pipeline")})

    def _simple_families(self) -> Iterator[Metric]:
        spool = self._spool
        yield CounterMetricFamily(
            "asleep_receiver_repeated_events_total",
            "Accepted events that this process had seen before, as far as it remembers.",
            self._repeated,
        )
        yield CounterMetricFamily(
            "asleep_receiver_spooled_records_total",
            "Records that went to the spool, because the event log did not take them.",
            spool.spooled_total,
        )
        yield CounterMetricFamily(
            "asleep_receiver_drained_records_total",
            "Records that went from a spool to the event log.",
            spool.drained_total,
        )
        for name, text, value in (
            ("requests_in_flight", "Calls that are not answered yet.", self.in_flight),
            ("spool_records", "Records on the spool now.", spool.spooled_records),
            ("spool_bytes", "Bytes on the spool now.", spool.spooled_bytes),
            ("spool_oldest_age_seconds", "Age of the oldest record on the spool.", spool.oldest_age_seconds),
            ("open_circuits", "Processes that do not try the event log now.", spool.is_circuit_open),
            ("pending_attempts", "Refused calls that are counted in memory only.", self._pending_attempts()),
            ("workers", "Processes that these numbers are of.", 1),
        ):
            yield GaugeMetricFamily(f"asleep_receiver_{name}", text, value)
