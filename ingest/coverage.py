"""Which of the files that hold an offset counts for it: one, and always the same, whoever asks.

Files of one partition overlap while compaction is about to remove what it has replaced, and where a lander
that was thought dead wrote to a store without locks. All of them have the same record at an offset.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from ingest.landed_files import LandedRange


@dataclass(frozen=True, slots=True)
class Share:
    """The offsets, first to last, for which a file counts; without any where it has `last_offset` < first."""

    file: LandedRange
    first_offset: int
    last_offset: int

    @property
    def is_whole(self) -> bool:
        """Whether the file counts for all it holds."""
        return self.first_offset == self.file.first_offset and self.last_offset == self.file.last_offset

    @property
    def is_empty(self) -> bool:
        """Whether the file counts for nothing: another holds all that it does."""
        return self.last_offset < self.first_offset

    @property
    def offsets(self) -> int:
        """For how many offsets the file counts."""
        return self.last_offset - self.first_offset + 1


def whole(file: LandedRange) -> Share:
    """All that a file holds."""
    return Share(file, file.first_offset, file.last_offset)


def shares(files: Iterable[LandedRange]) -> Iterator[Share]:
    """The share of each file: an offset belongs to the file that begins first, of two such to the longer one.

    Files of several partitions and logs may be among them.
    """
    in_order = sorted(
        files,
        key=lambda file: (
            file.log_id,
            file.source,
            file.first_offset,
            -file.last_offset,
            file.received_date,
        ),
    )
    for _, of_partition in groupby(in_order, key=lambda file: (file.log_id, file.source)):
        expected = 0
        for file in of_partition:
            first = max(file.first_offset, expected)
            yield Share(file, first, max(file.last_offset, first - 1))
            expected = max(expected, file.last_offset + 1)
