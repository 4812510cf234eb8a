"""Offsets whose files retention has removed: a small JSON file for each run of them, beside the data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import orjson

from ingest.event_log.base import Partition
from ingest.landed_files import log_folder, offsets_label
from ingest.raw_store.base import RawStore

_NAME: Final = re.compile(
    r"(?P<topic>[A-Za-z0-9._-]+)/log=(?P<log_id>[A-Za-z0-9_-]+)/"
    r"retired\+(?P<partition>0|[1-9][0-9]*)\+(?P<first>[0-9]{20})\+(?P<last>[0-9]{20})\.json",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class Retired:
    """Offsets of one partition, first to last, that were landed, loaded, and removed for their age."""

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
        return f"{folder}/retired+{self.source.partition}+{self.first_offset:020}+{self.last_offset:020}.json"

    def holds(self, first_offset: int, last_offset: int) -> bool:
        """Whether all these offsets are among its own."""
        return self.first_offset <= first_offset and last_offset <= self.last_offset


def record_retired(store: RawStore, retired: Retired, newest: date) -> None:
    """Write the range down, durably; its files are of dates up to `newest`. Raises OSError.

    One that is recorded already is left as it is.
    """
    said = {
        "log_id": retired.log_id,
        "topic": retired.source.topic,
        "partition": retired.source.partition,
        "first_offset": retired.first_offset,
        "last_offset": retired.last_offset,
        "newest_received_date": newest.isoformat(),
        "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "what": "the warehouse had loaded these offsets, and their files were removed for their age",
    }
    text = orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if retired.name in store.names(log_folder(retired.source.topic, retired.log_id)):
        store.settle([retired.name])
        return
    folder = log_folder(retired.source.topic, retired.log_id)
    store.create(retired.name, lambda file: file.write(text), lambda: None, alone_in=folder)


def retired_ranges(store: RawStore, topic: str) -> list[Retired]:
    """The ranges recorded for a topic, by log, partition and offset; a longer one may hold shorter ones."""
    return retired_among(store.names(topic))


def retired_among(names: Iterable[str]) -> list[Retired]:
    """The ranges recorded under these names, by log, partition and offset."""
    found = (_NAME.fullmatch(name) for name in names if "/retired+" in name)
    return sorted(
        Retired(
            said["log_id"],
            Partition(said["topic"], int(said["partition"])),
            int(said["first"]),
            int(said["last"]),
        )
        for said in found
        if said is not None
    )
