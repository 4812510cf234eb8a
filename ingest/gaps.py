"""Offsets that the log had lost before they were landed: one small JSON file each, kept beside the data.

A gap makes `asleep verify` fail until somebody who knows what was lost writes why that is accepted into
`accepted_because` of its file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import orjson

from ingest.noted_offsets import NotedOffsets
from ingest.raw_store.base import RawStore


@dataclass(frozen=True, slots=True, order=True)
class Gap(NotedOffsets):
    """Offsets of one partition, first to last, that no file will ever hold."""

    KIND: ClassVar[str] = "gap"

    def accepted_because(self, store: RawStore) -> str | None:
        """Why somebody accepted the loss, or None; raises ValueError where the file is not JSON."""
        with store.open(self.name) as file:
            said = orjson.loads(file.read())
        reason = said.get("accepted_because") if isinstance(said, dict) else None
        return reason if isinstance(reason, str) and reason.strip() else None


def record_gap(store: RawStore, gap: Gap, check: Callable[[], None]) -> None:
    """Write the gap down, durably; `check` may refuse it at the last moment. Raises OSError."""
    said: dict[str, object] = {
        "noticed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "what": "the log no longer had these offsets when the lander came to read them",
        "accepted_because": None,
    }
    gap.note(store, said, check)


def recorded_gaps(store: RawStore, topic: str) -> list[Gap]:
    """The gaps recorded for a topic, by log, partition and offset."""
    return gaps_among(store.names(topic))


def gaps_among(names: list[str]) -> list[Gap]:
    """The gaps recorded under these names, by log, partition and offset."""
    return Gap.among(names)
