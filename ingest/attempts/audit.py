"""The audit of refused calls: one record each, or under a flood one for each address, reason and second."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from ingest.attempts.sums import AttemptSums, Cause, Sum, bounded, total_calls
from ingest.event_log.base import EventLogError
from ingest.records import Header, Headers, Reason, Topic
from ingest.telemetry import log_event

RECORDS_PER_SECOND: Final = 100
"""Refused calls a second that get a record and a log line of their own: plenty for a caller that is set up
wrongly, and at most 7 GB of log a day in each process when a flood never ends."""
BODIES_PER_SECOND: Final = 1_000
"""The same for calls with a body, which only authentic callers have: the sender may want to mend and send
them again, so that even a thousand a second are kept, whatever strangers do meanwhile."""
MAX_POSTPONED: Final = 1_000
"""Calls refused because nothing could be appended that wait for a record of their own, in 6 MB at most."""
SUM_LINES: Final = 20
"""Sums of a second that get a log line of their own, the largest; one line tells of the others together."""

_log = logging.getLogger(__name__)


class RefusedCall(NamedTuple):
    """A call that is answered with anything but 200.

    `headers` are the record headers that events and attempts share; `body` is empty unless the caller was
    authentic; `bytes_read` counts the bytes of body taken off the wire.
    """

    headers: Headers
    reason: Reason
    status: int
    body: bytes
    bytes_read: int
    remote_address: str | None
    receipt_id: str
    path: str

    def record_headers(self) -> Headers:
        """The headers of its record."""
        return [
            *self.headers,
            (Header.REASON.value, self.reason.encode()),
            (Header.STATUS.value, b"%d" % self.status),
            (Header.BODY_BYTES.value, b"%d" % self.bytes_read),
        ]


class AttemptWriter(Protocol):
    """What attempts are appended to."""

    def append(self, topic: str, key: bytes | None, value: bytes, headers: Headers) -> Awaitable[object]:
        """Return once the record is durable; raises EventLogError."""
        ...


class Attempts:
    """Writes refused calls to Topic.ATTEMPTS, within a budget for each second of this process.

    What is over the budget is counted, and becomes a record of each address, reason, status and second once
    that second is over: kill -9 loses at most the last second of these counts. Nothing else is dropped. A
    call whose record the log did not take is counted too, and every count is given to the log again until it
    takes it; only where an acknowledgement got lost may a call then be counted beside its own record.

    What is postponed waits for the log under its own receipt id, MAX_POSTPONED calls at a time: should its
    event have reached the log after all, the two can be told to be one call. Those beyond are counted.
    """

    def __init__(self, writer: AttemptWriter, clock: Callable[[], float] = time.time) -> None:
        self._writer = writer
        self._clock = clock
        self._second = 0
        self._records_left = 0
        self._bodies_left = 0
        self._sums = AttemptSums()
        self._unsent: list[Sum] = []
        self._postponed: list[RefusedCall] = []
        self._postponed_since = 0
        self._closing = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None

    @property
    def pending_calls(self) -> int:
        """Refused calls that are counted in memory only."""
        return self._sums.calls + total_calls(self._unsent) + len(self._postponed)

    def problem(self) -> str | None:
        """Why counts are not written any more, in words, or None while they are."""
        if self._flushing is not None and self._flushing.done() and not self._closing.is_set():
            return "refused calls are counted in memory only: restart the receiver"
        return None

    def start(self) -> None:
        """Begin to write the sums of each second when it is over, on the running loop."""
        self._flushing = asyncio.get_running_loop().create_task(self._flush_each_second())

    async def note(self, call: RefusedCall) -> None:
        """Return once the call is on record, or counted; never raises an EventLogError."""
        if not self._is_within_budget(call):
            self.count(call)
            return
        fields: dict[str, object] = {
            "receipt_id": call.receipt_id,
            "reason": call.reason,
            "status": int(call.status),
            "path": call.path,
            "remote_address": call.remote_address,
            "body_bytes": call.bytes_read,
        }
        log_event(_log, logging.WARNING, "call refused", **fields)
        error = await self._append(call.body, call.record_headers())
        if error is not None:
            self.count(call)
            log_event(
                _log,
                logging.WARNING,
                "refused call not recorded, only counted",
                receipt_id=call.receipt_id,
                error=str(error),
            )

    def postpone(self, call: RefusedCall) -> None:
        """Write the call down later: for calls refused because nothing can be appended. No body is kept."""
        if len(self._postponed) < MAX_POSTPONED:
            self._postponed.append(call._replace(body=b""))
            self._postponed_since += 1
        else:
            self.count(call)

    def count(self, call: RefusedCall) -> None:
        """Count the call without a record of its own."""
        cause = Cause(int(self._clock()), call.remote_address, call.reason, call.status)
        self._sums.add(cause, 1, call.bytes_read)

    async def close(self) -> None:
        """Write all that was counted; call it after the last `note` and before the writer is closed."""
        self._closing.set()
        if self._flushing is not None:
            await self._flushing
        await self._flush(self._sums.take())
        if self.pending_calls:
            log_event(_log, logging.ERROR, "refused calls never recorded", calls=self.pending_calls)

    def _is_within_budget(self, call: RefusedCall) -> bool:
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._records_left, self._bodies_left = RECORDS_PER_SECOND, BODIES_PER_SECOND
        if call.body:
            self._bodies_left -= 1
            return self._bodies_left >= 0
        self._records_left -= 1
        return self._records_left >= 0

    async def _flush_each_second(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), 1.0 - self._clock() % 1.0)
            await self._flush(self._sums.take(growing_second=int(self._clock())))

    async def _flush(self, sums: list[Sum]) -> None:
        self._log_postponed()
        _log_sums(sums)
        # A sum that was given to the log stays as it is, under its receipt id: should the log have it
        # without having said so, the second copy is known as one.
        self._unsent += sums
        waiting: list[Sum | RefusedCall] = [*self._postponed, *self._unsent]
        errors = await asyncio.gather(*(self._append(b"", each.record_headers()) for each in waiting))
        given = {each.receipt_id for each, error in zip(waiting, errors, strict=True) if error is None}
        # More may have been postponed meanwhile.
        self._postponed = [call for call in self._postponed if call.receipt_id not in given]
        self._unsent = bounded([each for each in self._unsent if each.receipt_id not in given])
        error = next(filter(None, errors), None)
        if error is not None:
            log_event(
                _log,
                logging.WARNING,
                "counts of refused calls not recorded yet",
                calls=total_calls(self._unsent) + len(self._postponed),
                error=str(error),
            )

    async def _append(self, body: bytes, headers: Headers) -> EventLogError | None:
        try:
            await self._writer.append(Topic.ATTEMPTS.value, None, body, headers)
        except EventLogError as error:
            return error
        return None

    def _log_postponed(self) -> None:
        if self._postponed_since:
            log_event(
                _log,
                logging.WARNING,
                "calls refused, to be recorded once the log takes them",
                calls=self._postponed_since,
            )
        self._postponed_since = 0


def _log_sums(sums: list[Sum]) -> None:
    largest = heapq.nlargest(SUM_LINES, sums, key=lambda each: each.calls)
    for each in largest:
        log_event(
            _log,
            logging.WARNING,
            "calls refused",
            receipt_id=each.receipt_id,
            reason=each.cause.reason,
            status=int(each.cause.status),
            remote_address=each.cause.remote_address,
            body_bytes=each.bytes_read,
            calls=each.calls,
        )
    if len(sums) > len(largest):
        log_event(
            _log,
            logging.WARNING,
            "more calls refused",
            calls=total_calls(sums) - total_calls(largest),
            sums=len(sums) - len(largest),
        )
