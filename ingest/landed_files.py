"""The names of landed files: which offsets each accounts for, and which there are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from ingest.event_log.base import Partition
from ingest.raw_store.base import RawStore

_NAME: Final = re.compile(
    r"(?P<topic>[A-Za-z0-9._-]+)/log=(?P<log_id>[A-Za-z0-9_-]+)/received_date=(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})/"
    r"(?P=topic)\+(?P<partition>0|[1-9][0-9]*)\+(?P<first>[0-9]{20})\+(?P<last>[0-9]{20})\.parquet",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class LandedRange:
    """A run of offsets of one partition in one file: what the file's name says, and its footer too.

    Every offset from `first_offset` to `last_offset` is accounted for by this file: its record is a row, or
    the log has none there. `received_date` is the UTC date of the first row; no row is of a newer one, but
    rows that came late over midnight may be of an older one.
    """

    log_id: str
    topic: str
    partition: int
    first_offset: int
    last_offset: int
    received_date: date

    @property
    def source(self) -> Partition:
        """The partition whose records these are."""
        return Partition(self.topic, self.partition)

    @property
    def label(self) -> str:
        """The range for people: topic[partition]@first..last."""
        return offsets_label(self.source, self.first_offset, self.last_offset)

    @property
    def name(self) -> str:
        """The name of its file in a RawStore."""
        return (
            f"{log_folder(self.topic, self.log_id)}/received_date={self.received_date}/"
            f"{self.topic}+{self.partition}+{self.first_offset:020}+{self.last_offset:020}.parquet"
        )


def offsets_label(partition: Partition, first_offset: int, last_offset: int) -> str:
    """A range of offsets for people: topic[partition]@first..last."""
    return f"{partition.topic}[{partition.partition}]@{first_offset}..{last_offset}"


def log_folder(topic: str, log_id: str) -> str:
    """Folder of what was landed of one topic of one log."""
    return f"{topic}/log={log_id}"


def landed_files(store: RawStore, topic: str) -> list[LandedRange]:
    """The landed files of a topic, by log, partition and offset; names that are not ours are left out."""
    return sorted(filter(None, map(_range_of, store.names(topic))))


def files_of(names: Iterable[str], source: Partition) -> list[LandedRange]:
    """The landed files among these names that are of one partition, by log and offset."""
    mark = f"/{source.topic}+{source.partition}+"
    return sorted(filter(None, (_range_of(name) for name in names if mark in name)))


def _range_of(name: str) -> LandedRange | None:
    said = _NAME.fullmatch(name)
    if said is None:
        return None
    try:
        received_date = date.fromisoformat(said["day"])
    except ValueError:
        return None
    return LandedRange(
        said["log_id"],
        said["topic"],
        int(said["partition"]),
        int(said["first"]),
        int(said["last"]),
        received_date,
    )
