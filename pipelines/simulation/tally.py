"""What came of the calls: statuses, latencies, receipts."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.simulation.calls import Call, Kind

NO_ANSWER: Final = 0
"""In place of a status: the call was tried as often as allowed, and nothing answered."""


@dataclass(slots=True)
class Tally:
    """Counts of one run; grows while the run goes on."""

    expected: Counter[Kind] = field(default_factory=Counter)
    """Calls that got the status they expect."""
    unexpected: Counter[tuple[Kind, int]] = field(default_factory=Counter)
    """Calls that did not, by the status they got (NO_ANSWER for none)."""
    examples: dict[tuple[Kind, int], str] = field(default_factory=dict)
    """The first unexpected answer of each sort, in words."""
    latencies: array[float] = field(default_factory=lambda: array("d"))
    """Seconds from each request to its answer, whatever its status; retries have their own."""
    retries: int = 0
    receipts: int = 0
    accepted_without_receipt: int = 0
    seconds: float = 0.0
    """Wall-clock length of the run."""
    simulated_until: datetime | None = None
    """Simulated time of the newest finished call."""

    @property
    def calls(self) -> int:
        """Finished calls."""
        return self.expected.total() + self.unexpected.total()

    @property
    def calls_per_second(self) -> float:
        """Finished calls per second of the run."""
        return self.calls / self.seconds if self.seconds else 0.0

    def finish(self, call: Call, status: int, answer: str) -> None:
        """Count one call by its last status; `answer` is the last thing heard of it."""
        if self.simulated_until is None or call.send_at > self.simulated_until:
            self.simulated_until = call.send_at
        if status == call.expect:
            self.expected[call.kind] += 1
            return
        self.unexpected[call.kind, status] += 1
        if (call.kind, status) not in self.examples:
            what = f"{call.kind} ({call.detail})" if call.detail else call.kind
            got = f"got {status}" if status != NO_ANSWER else "got no answer"
            self.examples[call.kind, status] = f"{what}: expected {call.expect}, {got}: {answer[:300]}"

    def latency_quantiles(self) -> tuple[float, float, float] | None:
        """p50, p99 and maximum, in seconds; None without any answer."""
        ordered = sorted(self.latencies)
        if not ordered:
            return None
        last = len(ordered) - 1
        return ordered[round(0.5 * last)], ordered[round(0.99 * last)], ordered[last]
