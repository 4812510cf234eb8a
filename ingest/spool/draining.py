"""Moves records from a spool into the event log: appended, acknowledged, and only then deleted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, ParamSpec, TypeVar

from ingest.event_log.base import EventLogError, EventLogWriter, RecordRefused
from ingest.spool.circuit import Circuit
from ingest.spool.file import SpooledRecord, SpoolFile
from ingest.spool.folders import SpoolFolder
from ingest.spool.holding import Holding, held_bytes

BATCH_RECORDS: Final = 256
"""Appends in flight at a time: few enough that handing them over does not hold up the calls."""
BATCH_BYTES: Final = 4 * 1024 * 1024
RETRY_REFUSED_SECONDS: Final = 60.0
RETRY_STUCK_SECONDS: Final = 5.0
RETRY_AWAY_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 5.0
"""How long only the oldest record probes an open circuit; then others too: the fault may be its own."""
_SAMPLE_RECORDS: Final = 16

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Step(Enum):
    """How one step of a drain ended."""

    MOVED = auto()
    EMPTY = auto()
    LOG_AWAY = auto()
    STUCK = auto()
    """What is left is not acknowledged now, other records are: a partition without a leader, say."""


class SpoolThread:
    """The one thread that touches the files of the spools, so that the event loop never waits for a disk."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "spool-drain")

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call in the thread, after all calls before."""
        return await asyncio.wrap_future(self._executor.submit(function, *args, **kwargs))

    def end(self) -> None:
        """End the thread; waits for a call that was given up."""
        self._executor.shutdown()


@dataclass(eq=False)
class HeldSpool:
    """A spool that this process holds and drains."""

    folder: SpoolFolder
    file: SpoolFile
    holding: Holding
    oldest_ms: int | None = None
    refused: int = 0
    """Records that the log does not take, or that can not be read; they are tried again now and then."""
    refused_because: str = "they can not be read"
    retry_at: float = field(default_factory=lambda: time.monotonic() + RETRY_REFUSED_SECONDS)
    in_the_log: list[SpooledRecord] = field(default_factory=list)
    """Acknowledged, and not deleted yet: never appended again, however often deleting fails."""
    failure: str | None = None
    """Why a record was not acknowledged, the last time."""
    passed: int = -1
    """The row up to which records were passed over, because the log does not take them now."""
    failed_probes: int = 0
    rests_until: float = 0.0

    def waits(self) -> str | None:
        """What is not taken although the log is well, in words, or None."""
        if time.monotonic() >= self.rests_until:
            return None
        return f"records of {self.file.path} wait for a part of the log that is away: {self.failure}"

    def refusals(self) -> str:
        """What the log refused, in words."""
        return (
            f"{self.refused} records of {self.file.path} can not be drained and stay there: "
            f"{self.refused_because}"
        )


class Drain:
    """Empties spools into a log, and tells the circuit how that goes."""

    def __init__(self, log: EventLogWriter, circuit: Circuit, thread: SpoolThread) -> None:
        self._log = log
        self.circuit = circuit
        self._thread = thread
        self.drained_total = 0

    async def step(self, spool: HeldSpool) -> Step:
        """Move one batch, or one record while the circuit is open. Raises SpoolUnavailable.

        Killed at any point, it loses nothing: a record is at worst appended twice, with the same receipt.
        """
        if spool.in_the_log:
            await self._settle(spool, ())
        if spool.refused and time.monotonic() > spool.retry_at:
            await self.restore(spool)
        if time.monotonic() < spool.rests_until:
            return Step.STUCK
        records = await self._thread.run(spool.file.read, *self._where_to_read(spool))
        spool.oldest_ms, spool.refused = await self._thread.run(spool.file.left)
        if not records:
            return self._start_again(spool)
        self.circuit.note_trial()
        refused, failure = await self._append(spool, records)
        if failure is not None:
            spool.failure = str(failure)
            spool.passed = max(spool.passed, records[-1].position)
        if spool.in_the_log:
            self._note_success(spool)
        step = Step.MOVED
        if failure is not None and not spool.in_the_log and not refused:
            step = self._note_failure(spool, failure)
        await self._settle(spool, refused)
        return step

    def _where_to_read(self, spool: HeldSpool) -> tuple[int, int, int]:
        """How many records of how many bytes, behind which row."""
        if not self.circuit.is_open:
            return BATCH_RECORDS, BATCH_BYTES, spool.passed
        if self.circuit.open_seconds() > _PATIENCE_SECONDS and spool.failed_probes % 2:
            return _SAMPLE_RECORDS, BATCH_BYTES, spool.passed
        return 1, BATCH_BYTES, -1

    def _start_again(self, spool: HeldSpool) -> Step:
        """Nothing is behind what was passed over: the spool is empty, or has to wait."""
        if spool.passed < 0:
            return Step.EMPTY
        spool.passed = -1
        if self.circuit.is_open:
            spool.failed_probes += 1
            return Step.LOG_AWAY
        spool.rests_until = time.monotonic() + RETRY_STUCK_SECONDS
        return Step.STUCK

    def _note_failure(self, spool: HeldSpool, failure: EventLogError) -> Step:
        if self.circuit.is_open:
            spool.failed_probes += 1
            self.circuit.open(failure)
            return Step.LOG_AWAY
        # Calls find out by themselves whether all of the log is away; these records may be the only ones.
        spool.rests_until = time.monotonic() + RETRY_AWAY_SECONDS
        return Step.STUCK

    def _note_success(self, spool: HeldSpool) -> None:
        self.circuit.acknowledged += len(spool.in_the_log)
        if self.circuit.is_open:
            self.circuit.close()
            # From the oldest on, wherever it was that the log took something again.
            spool.passed = -1
        spool.failed_probes = 0

    async def restore(self, spool: HeldSpool) -> None:
        """Let what the log refused be tried again. Raises SpoolUnavailable."""
        await self._thread.run(spool.file.restore)
        spool.retry_at = time.monotonic() + RETRY_REFUSED_SECONDS

    async def _append(
        self, spool: HeldSpool, records: Sequence[SpooledRecord]
    ) -> tuple[list[SpooledRecord], EventLogError | None]:
        """Append all; returns what the log refused for its own sake, and the first failure of the log."""
        appends = [
            self._log.append(record.topic, record.key, record.value, record.headers) for record in records
        ]
        refused = []
        failure: EventLogError | None = None
        for record, answer in zip(
            records, await asyncio.gather(*appends, return_exceptions=True), strict=True
        ):
            if isinstance(answer, RecordRefused):
                refused.append(record)
                spool.refused_because = str(answer)
            elif isinstance(answer, EventLogError):
                failure = failure or answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                spool.in_the_log.append(record)
                self.drained_total += 1
        if len(records) == 1 or not refused:
            return refused, failure
        # A batch is refused as a whole: only alone does a record show that the fault is its own.
        refused_alone: list[SpooledRecord] = []
        for record in refused:
            if failure is None:
                alone, failure = await self._append(spool, [record])
                refused_alone += alone
        return refused_alone, failure

    async def _settle(self, spool: HeldSpool, refused: Sequence[SpooledRecord]) -> None:
        done = [record.position for record in spool.in_the_log]
        await self._thread.run(spool.file.settle, done, [record.position for record in refused])
        for record in spool.in_the_log:
            spool.holding.remove(record.topic, held_bytes(record.key, record.value, record.headers))
        spool.in_the_log.clear()
        spool.refused += len(refused)
