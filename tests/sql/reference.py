"""The rules of revisions in plain Python: events in, hypnograms out; slow, short, not derived from the SQL.

It reads the flat form only, whose fields are `event`, `user_id`, `session_id`, `timestamp`, `seq_num`,
`inference_seq_num`, `time_window`, the three arrays, and `session` in a report.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.raw_events import Event

Key = tuple[str, str]
Values = list[int | None]

LONGEST_EPOCHS = 7 * 24 * 120
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Hypnogram:
    """One value per epoch; `snoring`, `breath` and `blocks` are None where no value is known."""

    started_at: datetime | None
    is_final: bool
    stages: Values = field(default_factory=list)
    first_stages: Values = field(default_factory=list)
    revisions: Values = field(default_factory=list)
    snoring: Values | None = None
    breath: Values | None = None
    blocks: Values | None = None


@dataclass(slots=True)
class _Report:
    """One event that counts. `arrival` orders what nothing else orders."""

    arrival: tuple[datetime, int]
    body: dict[str, Any]

    def moment(self, *path: str) -> datetime | None:
        value: Any = self.body
        for name in path:
            value = (value or {}).get(name)
        return None if value is None else datetime.fromisoformat(value)

    @property
    def stages(self) -> Values:
        return (self.body.get("session") or self.body).get("sleep_stages") or []

    def flags(self, name: str) -> Values:
        return (self.body.get("session") or self.body).get(name) or []

    @property
    def block(self) -> int | None:
        block, seq = self.body.get("inference_seq_num"), self.body.get("seq_num")
        return block if block is not None else None if seq is None else seq // 10

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """The time_window; one of more than five minutes a value is none."""
        start, end = self.moment("time_window", "start"), self.moment("time_window", "end")
        if start is None or end is None:
            return None
        return (start, end) if end - start <= timedelta(minutes=5) * max(1, len(self.stages)) else None

    @property
    def content(self) -> str:
        """All that a hypnogram takes from it, but for its timestamp."""
        arrays = [self.stages, self.flags("snoring_stages"), self.flags("breath_stages")]
        numbers = [self.body.get("seq_num"), self.body.get("inference_seq_num")]
        times = [self.window, self.moment("session", "start_time"), self.moment("session", "end_time")]
        return repr((arrays, numbers, times))

    @property
    def rank(self) -> tuple[Any, ...]:
        """Newest last: by timestamp where there is one, else by seq_num, then by arrival."""
        seq = self.body.get("seq_num")
        return self.moment("timestamp") or _BEFORE_ALL, -1 if seq is None else seq, self.arrival


def hypnograms(events: Sequence[Event]) -> dict[Key, Hypnogram]:
    """The hypnograms of all sessions that have any; the events are in the order of the log."""
    sessions: dict[Key, list[_Report]] = defaultdict(list)
    for key, report in _first_copies(events):
        sessions[key].append(report)
    found = {key: _hypnogram(reports) for key, reports in sessions.items()}
    return {key: hypnogram for key, hypnogram in found.items() if hypnogram.stages}


def _first_copies(events: Sequence[Event]) -> Iterator[tuple[Key, _Report]]:
    """Each event once, at the place of its first arrival; of one moment, all that differ."""
    seen: set[object] = set()
    for number, event in sorted(enumerate(events), key=lambda item: (item[1].received_at, item[0])):
        body = json.loads(event.value)
        report = _Report((event.received_at, number), body)
        key = (body["user_id"], body["session_id"])
        said: object = event.value
        if (moment := report.moment("timestamp")) is not None:
            said = moment, report.content
        marks: list[object] = [event.receipt_id, (key, body["event"], said)]
        if seen.isdisjoint(marks):
            yield key, report
        seen.update(marks)


def _hypnogram(reports: list[_Report]) -> Hypnogram:
    reports.sort(key=lambda report: report.rank)
    finals = [report for report in reports if report.body["event"] == "SESSION_COMPLETE"]
    windows = [report for report in reports if report.body["event"] == "INFERENCE_COMPLETE"]
    last = next((final for final in reversed(finals) if final.stages), None)
    starts = [start for final in finals if (start := final.moment("session", "start_time"))]
    ends = [end for final in finals if (end := final.moment("session", "end_time"))]
    by_end = ends[-1] - timedelta(seconds=30 * len(last.stages)) if last and ends else None
    started_at = starts[-1] if starts else _guess_start(windows, by_end)
    cells: dict[int, list[_Cell]] = defaultdict(list)
    for report, first, count in _placed(windows, started_at):
        for epoch in range(first, first + count):
            position = (epoch - first + 0.5) / count
            cells[epoch].append(_cell(report, position, report.body.get("inference_seq_num")))
    length = max(cells, default=-1) + 1
    if last is not None:
        length = len(last.stages)
        for epoch in range(length):
            cells[epoch].append(_cell(last, (epoch + 0.5) / length, None))
    return _summary(
        Hypnogram(started_at, last is not None), [cells.get(epoch, []) for epoch in range(length)]
    )


@dataclass(slots=True)
class _Cell:
    stage: int
    snoring: int | None
    breath: int | None
    block: int | None


def _cell(report: _Report, position: float, block: int | None) -> _Cell:
    """What a report says of the epoch at this position (0..1) in it."""
    index = math.floor(position * len(report.stages))
    stage = report.stages[index]

    def flag(name: str) -> int | None:
        flags = report.flags(name)
        value = flags[index] if index < len(flags) else None
        return None if value == -1 else value

    return _Cell(-1 if stage is None else stage, flag("snoring_stages"), flag("breath_stages"), block)


def _placed(windows: list[_Report], started_at: datetime | None) -> Iterator[tuple[_Report, int, int]]:
    """Each window with its first epoch and its number of epochs, oldest revision first."""
    follows = 0
    firsts: dict[int, int] = {}
    for window in sorted(windows, key=lambda report: report.arrival):
        if window.window is None and window.block is None:
            firsts[id(window)] = follows
            follows += len(window.stages)
    for window in windows:
        count = len(window.stages)
        if window.window is not None and started_at is not None:
            start, end = window.window
            first = _rounded((start - started_at) / timedelta(seconds=30))
            count = _rounded((end - start) / timedelta(seconds=30)) if count else 0
        elif window.block is not None:
            first = 10 * (window.block + 1) - count
        else:
            first = firsts[id(window)]
        if count and first + count > 0 and first + count <= LONGEST_EPOCHS:
            yield window, first, count


def _guess_start(windows: list[_Report], by_end: datetime | None) -> datetime | None:
    """Block k ends 5 (k + 1) minutes after the start: the middle of what windows imply, or the earliest."""
    spans = [(window, span) for window in windows if (span := window.window)]
    by_block = [
        span[1] - _until(block)
        for window, span in spans
        if (block := window.body.get("inference_seq_num")) is not None
    ]
    by_arrival = [
        (w.moment("timestamp") or w.arrival[0]) - _until(w.block) for w in windows if w.block is not None
    ]
    by_length = [w.arrival[0] - timedelta(seconds=30 * len(w.stages)) for w in windows]
    if by_block:
        return _lower_median(by_block)
    if spans:
        return min(start for _, (start, _) in spans)
    return by_end or (_lower_median(by_arrival) if by_arrival else min(by_length, default=None))


def _summary(found: Hypnogram, cells: list[list[_Cell]]) -> Hypnogram:
    for reports in cells:
        stages = [cell.stage for cell in reports]
        found.stages.append(stages[-1] if stages else -1)
        found.first_stages.append(stages[0] if stages else None)
        found.revisions.append(sum(before != after for before, after in pairwise(stages)))
    found.snoring = _known([_newest([cell.snoring for cell in reports]) for reports in cells])
    found.breath = _known([_newest([cell.breath for cell in reports]) for reports in cells])
    blocks = [[cell.block for cell in (reports[:-1] if found.is_final else reports)] for reports in cells]
    found.blocks = _known([reports[-1] if reports else None for reports in blocks])
    return found


def _newest(values: Values) -> int | None:
    return next((value for value in reversed(values) if value is not None), None)


def _known(values: Values) -> Values | None:
    return values if any(value is not None for value in values) else None


def _until(block: int) -> timedelta:
    return timedelta(seconds=300 * (block + 1))


def _lower_median(moments: list[datetime]) -> datetime:
    return sorted(moments)[(len(moments) - 1) // 2]


def _rounded(number: float) -> int:
    return math.floor(number + 0.5)
