"""One webhook call, and the windows of a night that calls carry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.simulation.night import Night, Values

BLOCK_EPOCHS: Final = 10
"""Epochs of the 5-minute block that `inference_seq_num` counts."""
REVISION_EVERY_BLOCKS: Final = 8
REVISION_EPOCHS: Final = 40
"""Epochs of the longer window that comes every 40 minutes and corrects the blocks it covers."""

_INFERENCE_TAKES: Final = timedelta(seconds=2)
_REVISION_TAKES: Final = timedelta(seconds=3)
_CORRECTIONS_TAKE: Final = timedelta(seconds=10)
REPORT_TAKES: Final = timedelta(seconds=90)
"""From the end of a session to its final report."""


class Kind(StrEnum):
    """What a call is, for the sender's report."""

    WINDOW = "5-minute window"
    REVISION = "40-minute revision"
    CORRECTION = "closing window"
    REPORT = "final report"
    LATE = "late window"
    DUPLICATE = "duplicate"
    BAD = "bad body"
    WRONG_KEY = "wrong key"
    FROM_FILE = "from file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP POST: calls of one `session` are sent in order, one at a time."""

    path: str
    """Last segment of the address: `webhook` or `asleep-webhook`."""
    headers: Mapping[str, str]
    """Headers of this call; the sender adds content type and, where absent, its x-api-key."""
    body: bytes
    send_at: datetime
    """When the vendor would send it, in simulated time."""
    kind: Kind
    session: tuple[str, str]
    expect: int = 200
    """The status the receiver's contract promises."""
    order_matters: bool = False
    """True where nothing in the body can restore the order: such a call is never delayed."""
    detail: str = ""
    """For people: which bad body."""


class Window(NamedTuple):
    """Epochs [first, end) as one inference saw them."""

    first: int
    end: int
    stages: Values
    sent_at: datetime
    kind: Kind

    @property
    def block(self) -> int:
        """The `inference_seq_num`: the 5-minute block that the window ends with."""
        return (self.end - 1) // BLOCK_EPOCHS

    def cut(self, values: Values | None) -> Values | None:
        """This window's part of an array of the whole night."""
        return None if values is None else values[self.first : self.end]


def sequence_numbers(window: Window) -> dict[str, int]:
    """The numbers by which a body without times says where its window ends."""
    return {"seq_num": window.end - 1, "inference_seq_num": window.block}


def live_windows(night: Night) -> Iterator[Window]:
    """What is sent while the night lasts, in order: a window per full block, revisions every eighth block.

    The epochs after the last full block are in none of them.
    """
    for end in range(BLOCK_EPOCHS, len(night.stages) + 1, BLOCK_EPOCHS):
        first, now = end - BLOCK_EPOCHS, night.at(end)
        yield Window(first, end, night.early_stages[first:end], now + _INFERENCE_TAKES, Kind.WINDOW)
        if end % (BLOCK_EPOCHS * REVISION_EVERY_BLOCKS) == 0:
            first = end - REVISION_EPOCHS
            yield Window(first, end, night.stages[first:end], now + _REVISION_TAKES, Kind.REVISION)


def closing_windows(night: Night) -> Iterator[Window]:
    """What a report without stages needs before it: corrected windows for all that no revision covered.

    With the live windows before them, the newest window of every epoch carries its final stage. A stretch
    that was right from the start is not sent again.
    """
    epochs = len(night.stages)
    sent = epochs - epochs % BLOCK_EPOCHS
    stretch = BLOCK_EPOCHS * REVISION_EVERY_BLOCKS
    at = night.ended_at + _CORRECTIONS_TAKE
    for begin in range(0, epochs, stretch):
        was_revised = begin + stretch <= epochs
        first, end = begin, begin + stretch - REVISION_EPOCHS if was_revised else epochs
        if end > sent or night.stages[first:end] != night.early_stages[first:end]:
            yield Window(first, end, night.stages[first:end], at, Kind.CORRECTION)
            at += timedelta(seconds=1)
