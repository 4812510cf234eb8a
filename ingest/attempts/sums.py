"""Refused calls added up by address, reason, status and second, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from ingest.records import ENVELOPE_VERSION, Header, Headers, Reason, Receipt

MAX_SUMS: Final = 1_000
"""Sums kept apart by address; with as many again that the log did not take yet they stay under 1 MB.
A flood from as many addresses in every second writes 28 GB of them a day in each process."""


class Cause(NamedTuple):
    """What the calls of one sum have in common; None for the address where there was no room to tell."""

    second: int
    remote_address: str | None
    reason: Reason
    status: int


@dataclass(slots=True)
class Sum:
    """So many calls, and the bytes of body taken off the wire for them, under one receipt id."""

    cause: Cause
    receipt_id: str
    calls: int = 0
    bytes_read: int = 0

    def record_headers(self) -> Headers:
        """The headers of its record, which has no body."""
        second, address, reason, status = self.cause
        headers: Headers = [
            (Header.RECEIPT_ID.value, self.receipt_id.encode()),
            (Header.RECEIVED_AT.value, b"%d" % (second * 1_000_000)),
            (Header.ENVELOPE.value, ENVELOPE_VERSION.encode()),
            (Header.REASON.value, reason.encode()),
            (Header.STATUS.value, b"%d" % status),
            (Header.BODY_BYTES.value, b"%d" % self.bytes_read),
            (Header.CALLS.value, b"%d" % self.calls),
        ]
        if address is not None:
            headers.append((Header.REMOTE_ADDRESS.value, address.encode()))
        return headers


class AttemptSums:
    """The sums that still grow; beyond MAX_SUMS a new address is added to the sum of no address."""

    def __init__(self) -> None:
        self._sums: dict[Cause, Sum] = {}

    @property
    def calls(self) -> int:
        """How many calls are in here."""
        return sum(each.calls for each in self._sums.values())

    def add(self, cause: Cause, calls: int, bytes_read: int) -> None:
        """Count calls of one cause."""
        found = self._sums.get(cause)
        if found is None and len(self._sums) >= MAX_SUMS:
            cause = cause._replace(remote_address=None)
            found = self._sums.get(cause)
        if found is None:
            found = self._sums[cause] = Sum(cause, Receipt.now().receipt_id)
        found.calls += calls
        found.bytes_read += bytes_read

    def take(self, *, growing_second: int | None = None) -> list[Sum]:
        """Take out every sum but those of `growing_second`."""
        return [self._sums.pop(cause) for cause in list(self._sums) if cause.second != growing_second]


def bounded(sums: list[Sum]) -> list[Sum]:
    """The first MAX_SUMS as they are, the others as one for each reason and status, of their first second.

    Such a one has a receipt id of its own. Where the log had taken one of its parts without saying so, those
    calls are counted twice, which no receipt id tells: refused calls may be counted too high, never too low.
    """
    merged = AttemptSums()
    first_seconds: dict[tuple[Reason, int], int] = {}
    for each in sums[MAX_SUMS:]:
        second, _, reason, status = each.cause
        first = first_seconds.setdefault((reason, status), second)
        merged.add(Cause(first, None, reason, status), each.calls, each.bytes_read)
    return [*sums[:MAX_SUMS], *merged.take()]


def total_calls(sums: Iterable[Sum]) -> int:
    """How many calls these sums stand for."""
    return sum(each.calls for each in sums)
