"""Runs of offsets that no landed file holds, each noted in a small JSON file beside the data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import orjson

from ingest.event_log.base import Partition
from ingest.landed_files import log_folder, offsets_label
from ingest.raw_store.base import RawStore

_NAME: Final = re.compile(
    r"(?P<topic>[A-Za-z0-9._-]+)/log=(?P<log_id>[A-Za-z0-9_-]+)/"
    r"(?P<kind>[a-z]+)\+(?P<partition>0|[1-9][0-9]*)\+(?P<first>[0-9]{20})\+(?P<last>[0-9]{20})\.json",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class NotedOffsets:
    """Offsets of one partition, first to last; `KIND` is what the name of their file begins with."""

    KIND: ClassVar[str]

    log_id: str
    source: Partition
    first_offset: int
    last_offset: int

    @property
    def label(self) -> str:
        """The range for people: topic[partition]@first..last."""
        return offsets_label(self.source, self.first_offset, self.last_offset)

    @property
    def folder(self) -> str:
        """The folder of its file, which landed files of the topic share."""
        return log_folder(self.source.topic, self.log_id)

    @property
    def name(self) -> str:
        """The name of its file in a RawStore."""
        offsets = f"{self.first_offset:020}+{self.last_offset:020}"
        return f"{self.folder}/{self.KIND}+{self.source.partition}+{offsets}.json"

    @classmethod
    def among(cls, names: Iterable[str]) -> list[Self]:
        """Those noted under these names, by log, partition and offset."""
        found = (_NAME.fullmatch(name) for name in names if f"/{cls.KIND}+" in name)
        return sorted(
            cls(
                said["log_id"],
                Partition(said["topic"], int(said["partition"])),
                int(said["first"]),
                int(said["last"]),
            )
            for said in found
            if said is not None and said["kind"] == cls.KIND
        )

    def note(self, store: RawStore, more: dict[str, object], check: Callable[[], None]) -> None:
        """Write it down, durably, with `more` to say; `check` may refuse it at last. Raises OSError."""
        said = {
            "log_id": self.log_id,
            "topic": self.source.topic,
            "partition": self.source.partition,
            "first_offset": self.first_offset,
            "last_offset": self.last_offset,
            **more,
        }
        text = orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        store.create(self.name, lambda file: file.write(text), check, alone_in=self.folder)
