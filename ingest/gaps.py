"""Offsets that the log had lost before they were landed: one small JSON file each, kept beside the data.

A gap makes `asleep verify` fail until somebody who knows what was lost writes why that is accepted into
`accepted_because` of its file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from ingest.event_log.base import Partition
from ingest.landed_files import log_folder, offsets_label
from ingest.raw_store.base import RawStore

_NAME: Final = re.compile(
    r"(?P<topic>[A-Za-z0-9._-]+)/log=(?P<log_id>[A-Za-z0-9_-]+)/"
    r"gap\+(?P<partition>0|[1-9][0-9]*)\+(?P<first>[0-9]{20})\+(?P<last>[0-9]{20})\.json",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Offsets of one partition, first to last, that no file will ever hold."""

    log_id: str
    source: Partition
    first_offset: int
    last_offset: int

    @property
    def label(self) -> str:
        """The range for people: topic[partition]@first..last."""
        return offsets_label(self.source, self.first_offset, self.last_offset)

    @property
    def name(self) -> str:
        """The name of its file in a RawStore."""
        folder = log_folder(self.source.topic, self.log_id)
        return f"{folder}/gap+{self.source.partition}+{self.first_offset:020}+{self.last_offset:020}.json"

    def accepted_because(self, store: RawStore) -> str | None:
        """Why somebody accepted the loss, or None; raises ValueError where the file is not JSON."""
        with store.open(self.name) as file:
            said = orjson.loads(file.read())
        reason = said.get("accepted_because") if isinstance(said, dict) else None
        return reason if isinstance(reason, str) and reason.strip() else None


def record_gap(store: RawStore, gap: Gap, check: Callable[[], None]) -> None:
    """Write the gap down, durably; `check` may refuse it at the last moment. Raises OSError."""
    said = {
        "log_id": gap.log_id,
        "topic": gap.source.topic,
        "partition": gap.source.partition,
        "first_offset": gap.first_offset,
        "last_offset": gap.last_offset,
        "noticed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "what": "the log no longer had these offsets when the lander came to read them",
        "accepted_because": None,
    }
    text = orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    folder = log_folder(gap.source.topic, gap.log_id)
    store.create(gap.name, lambda file: file.write(text), check, alone_in=folder)


def recorded_gaps(store: RawStore, topic: str) -> list[Gap]:
    """The gaps recorded for a topic, by log, partition and offset."""
    return gaps_among(store.names(topic))


def gaps_among(names: list[str]) -> list[Gap]:
    """The gaps recorded under these names, by log, partition and offset."""
    found = (_NAME.fullmatch(name) for name in names if "/gap+" in name)
    return sorted(
        Gap(
            said["log_id"],
            Partition(said["topic"], int(said["partition"])),
            int(said["first"]),
            int(said["last"]),
        )
        for said in found
        if said is not None
    )
