"""Days of simulated nights to measure builds with, and what a process has used so far."""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from pipelines.simulation.dialects import calls_of, rotation
from pipelines.simulation.recordings import simulated_nights
from pipelines.simulation.sleepers import population
from tests.raw_events import Event

FIRST_DAY: Final = date(2026, 1, 5)


def events_by_day(users: int, days: int) -> Iterator[list[Event]]:
    """What arrives on each of the days of these users, all dialects among them, in order of arrival."""
    sleepers = population(1, users)
    dialects = rotation(sleeper.user_id for sleeper in sleepers)
    arrivals: defaultdict[date, list[Event]] = defaultdict(list)
    due = FIRST_DAY
    for night in simulated_nights(sleepers, FIRST_DAY - timedelta(days=1), days + 2):
        while due < night.started_at.date() and due < FIRST_DAY + timedelta(days=days):
            yield sorted(arrivals.pop(due, []), key=lambda event: event.received_at)
            due += timedelta(days=1)
        for call in calls_of(night, dialects[night.user_id]):
            event = Event(body=call.body, user_id=call.headers["x-user-id"], received_at=call.send_at)
            arrivals[call.send_at.date()].append(event)


def after_day(number: int) -> datetime:
    """The midnight that ends day `number`, the first being 0: when its build runs."""
    return datetime.combine(FIRST_DAY + timedelta(days=number + 1), datetime.min.time(), UTC)


def bytes_written() -> int:
    """Bytes that this process has handed to the system to write, so far; Linux only."""
    counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text("ascii").splitlines())
    return int(counters["wchar"])


def peak_bytes() -> int:
    """Peak resident memory of this process, so far; Linux only.

    The peak that `resource` tells is not below that of the process that started this one.
    """
    status = Path("/proc/self/status").read_text("ascii")
    [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kilobytes) * 1024


def cpu_seconds() -> float:
    """Seconds of processor time that this process has used in all its threads, so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def mib(count: float) -> str:
    """Bytes as MiB, to print."""
    return f"{count / 2**20:,.1f}"
