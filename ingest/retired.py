"""Offsets whose files retention has removed: a small JSON file for each run of them, beside the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import ClassVar

from ingest.noted_offsets import NotedOffsets
from ingest.raw_store.base import RawStore


@dataclass(frozen=True, slots=True, order=True)
class Retired(NotedOffsets):
    """Offsets of one partition, first to last, that were landed, loaded, and removed for their age."""

    KIND: ClassVar[str] = "retired"

    def holds(self, first_offset: int, last_offset: int) -> bool:
        """Whether all these offsets are among its own."""
        return self.first_offset <= first_offset and last_offset <= self.last_offset


def record_retired(store: RawStore, retired: Retired, newest: date) -> None:
    """Write the range down, durably; its files are of dates up to `newest`. Raises OSError.

    One that is recorded already is left as it is.
    """
    if retired.name in store.names(retired.folder):
        store.settle([retired.name])
        return
    said: dict[str, object] = {
        "newest_received_date": newest.isoformat(),
        "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "what": "the warehouse had loaded these offsets, and their files were removed for their age",
    }
    retired.note(store, said, lambda: None)


def retired_ranges(store: RawStore, topic: str) -> list[Retired]:
    """The ranges recorded for a topic, by log, partition and offset; a longer one may hold shorter ones."""
    return retired_among(store.names(topic))


def retired_among(names: Iterable[str]) -> list[Retired]:
    """The ranges recorded under these names, by log, partition and offset."""
    return Retired.among(names)
