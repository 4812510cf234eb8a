"""How a lander is, in words and numbers: what it waits for, how far behind it is, whether its loop turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from threading import Lock
from typing import Final, NamedTuple, Self

from ingest.batches import Batch
from ingest.event_log.base import Partition
from ingest.pause import Pause

STUCK_SECONDS: Final = 120.0
"""How long one turn of the loop may take: longer than all its bounded waits for log and disk."""
SILENT_SECONDS: Final = 10.0
"""How long the event log may take to say where it ends."""

UNASSIGNED_SECONDS: Final = 60.0
"""How long a lander that is well has no partition before others surely have those it had."""

STOPPING: Final = "the lander is stopping: what it has read is landed, the rest is for the next one"
UNASSIGNED: Final = (
    "no partition is assigned to this lander: the group is sharing them out, others have them all, "
    "or the topics do not exist yet"
)


class Part(StrEnum):
    """What can be wrong with a lander."""

    EVENT_LOG = "event_log"
    RAW_FILES = "raw_files"
    PARTITIONS = "partitions"
    LOOP = "loop"
    STOPPING = "stopping"


PAUSING: Final = (Part.EVENT_LOG, Part.RAW_FILES)
"""What can keep a lander from landing until it is well again."""


class Held(NamedTuple):
    """What of an assigned partition is in memory only: from the first offset not landed to the next to read.

    `oldest_ms` is the log's timestamp of the first record, in milliseconds since 1970; None without one.
    """

    first_offset: int
    next_offset: int
    rows: int
    memory_bytes: int
    oldest_ms: int | None

    @classmethod
    def of(cls, batch: Batch) -> Self:
        """What a batch holds now."""
        return cls(batch.first_offset, batch.next_offset, batch.rows, batch.memory_bytes, batch.oldest_ms)


class Backlog(NamedTuple):
    """What of a partition is not landed: how many offsets, and the age of the oldest where it is known."""

    records: int
    seconds: float | None


class LanderState:
    """Told by the thread that lands and the one that watches the log, asked by those that serve pages.

    What was known of the assigned partitions before a pause stays true while it lasts, for nobody lands them;
    until others surely do.
    """

    def __init__(self, is_stopping: Callable[[], bool]) -> None:
        self._is_stopping = is_stopping
        self._lock = Lock()
        self._pauses = {part: Pause() for part in PAUSING}
        self._is_assigned = False
        self._held: dict[Partition, Held] = {}
        self._waiting: dict[Partition, str] = {}
        self._oldest_ms: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._ends_problem: str | None = None
        self._asked_at: float | None = None
        self._heard_at = 0.0
        self._turned_at = self._unassigned_since = time.monotonic()
        self._failures = 0

    @property
    def failures(self) -> int:
        """How often landing failed and began anew."""
        return self._failures

    def holds(self, batches: Mapping[Partition, Batch], waiting: Mapping[Partition, str]) -> None:
        """What is in memory only of each partition that is read, and why others wait; after every turn."""
        held = {source: Held.of(batch) for source, batch in batches.items()}
        with self._lock:
            self._waiting = dict(waiting)
            self._is_assigned = bool(held)
            if not held and any(pause.problem for pause in self._pauses.values()):
                return
            known, self._oldest_ms = self._oldest_ms, {}
            self._held = held
            for source, part in held.items():
                oldest = known.get(source) if part.oldest_ms is None else part.oldest_ms
                if oldest is not None and self._records_behind(source):
                    self._oldest_ms[source] = oldest

    def turned(self, *, has_landed: bool) -> None:
        """The loop turned without a failure, and landed a file or had none to land."""
        with self._lock:
            self._turned_at = time.monotonic()
            if self._is_assigned:
                self._unassigned_since = self._turned_at
                self._pauses[Part.EVENT_LOG].end()
            elif self._others_have_them():
                self._held = {}
                for pause in self._pauses.values():
                    pause.end()
            if has_landed or self._has_nothing_to_land():
                self._pauses[Part.RAW_FILES].end()

    def paused(self, part: Part, problem: str) -> None:
        """Nothing is landed until `part` is well again; `problem` says why, in words."""
        with self._lock:
            self._turned_at = self._unassigned_since = time.monotonic()
            self._is_assigned = False
            self._failures += 1
            self._pauses[part].begin(problem)

    def asked(self) -> None:
        """The log is asked where it ends."""
        with self._lock:
            if self._asked_at is None:
                self._asked_at = time.monotonic()

    def heard(self, ends: Mapping[Partition, int], problem: str | None = None) -> None:
        """The log answered: one past its newest offset, per partition; and why not for all of them."""
        with self._lock:
            self._ends = dict(ends)
            self._ends_problem, self._asked_at = problem, None
            self._heard_at = time.monotonic()

    def unheard(self, problem: str) -> None:
        """The log could not be asked, and why."""
        with self._lock:
            self._ends_problem, self._asked_at = problem, None

    def sources(self) -> list[Partition]:
        """The partitions that are assigned, or were when a pause began."""
        with self._lock:
            return list(self._held)

    def waiting(self) -> list[Partition]:
        """The partitions that are assigned, and not read because the log does not say where to begin."""
        with self._lock:
            return list(self._waiting)

    def held(self) -> dict[Partition, Held]:
        """What is in memory only, per partition."""
        with self._lock:
            return dict(self._held)

    def pauses(self) -> dict[Part, Pause]:
        """The pauses so far, by what they were for."""
        with self._lock:
            return {part: Pause(**vars(pause)) for part, pause in self._pauses.items()}

    def backlogs(self) -> dict[Partition, Backlog]:
        """What is not landed yet, per partition."""
        with self._lock:
            return {source: self._backlog(source) for source in self._held}

    def problems(self) -> dict[str, str]:
        """What is wrong, in words, by part; nothing while it lands what the log has."""
        with self._lock:
            found = {Part.STOPPING: STOPPING} if self._is_stopping() else {}
            found |= {
                part: pause.problem for part, pause in self._pauses.items() if pause.problem is not None
            }
            if (silence := self._silence()) is not None:
                found.setdefault(Part.EVENT_LOG, silence)
            if self._waiting:
                names = ", ".join(f"{source.topic}[{source.partition}]" for source in sorted(self._waiting))
                why = "; ".join(sorted(set(self._waiting.values())))
                found.setdefault(Part.EVENT_LOG, f"not landed, the others are: {names}: {why}")
            if (stuck := self._stuck()) is not None:
                found[Part.LOOP] = stuck
            if not self._is_assigned and not found:
                found[Part.PARTITIONS] = UNASSIGNED
            return {part.value: problem for part, problem in found.items()}

    def stuck(self) -> str | None:
        """Why the process is beyond help from within, or None while its loop turns."""
        with self._lock:
            return self._stuck()

    def _stuck(self) -> str | None:
        seconds = time.monotonic() - self._turned_at
        return f"the lander's loop has not turned for {seconds:.0f} s" if seconds > STUCK_SECONDS else None

    def _silence(self) -> str | None:
        seconds = 0.0 if self._asked_at is None else time.monotonic() - self._asked_at
        if seconds > SILENT_SECONDS:
            return f"the event log has not said for {seconds:.0f} s where it ends"
        return self._ends_problem

    def _records_behind(self, source: Partition) -> int:
        held = self._held[source]
        return max(self._ends.get(source, 0), held.next_offset) - held.first_offset

    def _others_have_them(self) -> bool:
        """Whether the loop turns, and the log answers, and for long no partition has come back."""
        since = self._unassigned_since + UNASSIGNED_SECONDS
        return self._turned_at > since and (not self._held or self._heard_at > since)

    def _has_nothing_to_land(self) -> bool:
        """Whether all is landed, by what the log has said since the files were last refused."""
        if self._heard_at <= self._pauses[Part.RAW_FILES].since or not self._held:
            return False
        return all(source in self._ends and not self._records_behind(source) for source in self._held)

    def _backlog(self, source: Partition) -> Backlog:
        records = self._records_behind(source)
        if not records:
            return Backlog(0, 0.0)
        oldest_ms = self._oldest_ms.get(source)
        return Backlog(records, None if oldest_ms is None else max(0.0, time.time() - oldest_ms / 1000))
