"""Refused calls for tests of their audit, and what became of them on a log in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ingest.attempts.audit import Attempts, RefusedCall
from ingest.records import Reason, Receipt
from tests.unit.memory_log import MemoryLog, MemoryRecord

SECOND = 1_800_000_000


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = SECOND + 0.5

    def __call__(self) -> float:
        return self.now


def refused_call(
    address: str | None = "192.0.2.7",
    reason: Reason = Reason.WRONG_API_KEY,
    body: bytes = b"",
    bytes_read: int = 0,
) -> RefusedCall:
    receipt = Receipt.now()
    headers = [
        ("receipt_id", receipt.receipt_id.encode()),
        ("received_at", b"%d" % receipt.received_at_us),
        ("path", b"/webhook"),
    ]
    if address is not None:
        headers.append(("remote_address", address.encode()))
    return RefusedCall(headers, reason, 401, body, bytes_read, address, receipt.receipt_id, "/webhook")


async def note_all(attempts: Attempts, calls: Iterable[RefusedCall]) -> None:
    for call in calls:
        await attempts.note(call)


def written(log: MemoryLog, calls: Iterable[RefusedCall]) -> list[MemoryRecord]:
    async def scenario() -> None:
        attempts = Attempts(log, Clock())
        await note_all(attempts, calls)
        await attempts.close()
        assert attempts.pending_calls == 0

    asyncio.run(scenario())
    return log.attempts


def calls_in(records: Iterable[MemoryRecord]) -> int:
    return sum(int(record.headers.get("calls", b"1")) for record in records)


def sums_of(records: Iterable[MemoryRecord]) -> list[MemoryRecord]:
    return [record for record in records if "calls" in record.headers]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  nobody tells when it comes to hold
            await asyncio.sleep(0.001)
