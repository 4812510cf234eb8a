"""What is found of one partition when its files are held against the log: counts, and words."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.event_log.base import Partition
from ingest.landed_files import offsets_label


@dataclass(frozen=True, slots=True)
class LogBounds:
    """What the log itself says of a partition: its oldest offset, and one past its newest.

    `end_offset` was read before the files were listed, `later_end_offset` afterwards.
    """

    first_offset: int
    end_offset: int
    later_end_offset: int


@dataclass
class PartitionReport:
    """What was found of one partition of one log.

    `log` is None for a log that is not the one of the settings, or has no such partition. `files` are all of
    them, `superfluous` those of them that count for nothing; `rows` are those that count. Counts of offsets:
    `without_row` are inside files, but the log had no record there; `lost` are in recorded gaps; `retired`
    were removed for their age; `missing` are before the last landed one, but in no file; `twice` are in more
    than one; `not_yet_landed` are in the log, after the last landed one. `problems` say in words what is
    wrong; those of them that only wait for the lander are `on_their_way`, too. `notes` say what is odd but
    explained.
    """

    log_id: str
    source: Partition
    log: LogBounds | None
    first_landed: int | None = None
    last_landed: int | None = None
    files: int = 0
    superfluous: int = 0
    rows: int = 0
    without_row: int = 0
    lost: int = 0
    retired: int = 0
    missing: int = 0
    twice: int = 0
    not_yet_landed: int = 0
    problems: list[str] = field(default_factory=list)
    on_their_way: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def label(self, first: int, last: int) -> str:
        """A range of offsets of this partition, for people."""
        return offsets_label(self.source, first, last)
