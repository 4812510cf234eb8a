"""Which landed files are to be joined: runs of small ones, of closed days and hours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

import pyarrow.parquet as pq

from ingest.coverage import Share, shares
from ingest.landed_files import LandedRange
from ingest.parquet_files import READABLE_VERSIONS, UnreadableFile, footer_of
from ingest.raw_store.base import RawStore, StoreUnavailable

_MOST_EXPANSION: Final = 16
"""A file is also full when its rows, decoded, take so many times the target size."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Size of a file in bytes, its size decoded, its rows, and when its newest row was appended (UTC).

    `newest` is None where the footer has no statistics of it.
    """

    size_bytes: int
    decoded_bytes: int
    rows: int
    newest: datetime | None

    def is_full(self, target_bytes: int) -> bool:
        """Whether joining it with others would rewrite much to gain little."""
        return 2 * self.weight >= target_bytes

    @property
    def weight(self) -> int:
        """What counts towards the target size, in bytes."""
        return max(self.size_bytes, self.decoded_bytes // _MOST_EXPANSION)


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive files of one partition and date, at least two, that are to be one."""

    sources: tuple[Share, ...]

    @property
    def range(self) -> LandedRange:
        """The range of offsets that the new file accounts for: that of all its sources."""
        first, last = self.sources[0].file, self.sources[-1].file
        return LandedRange(
            first.log_id,
            first.topic,
            first.partition,
            first.first_offset,
            last.last_offset,
            first.received_date,
        )


Measure = Callable[[LandedRange], Measured | None]
"""Measures a file; None for one that is to be left alone."""


def measure(store: RawStore, file: LandedRange) -> Measured:
    """Measure a file by its footer; raises UnreadableFile, FileNotFoundError and StoreUnavailable."""
    place = f"{store.url}/{file.name}"
    try:
        with store.open(file.name) as source:
            size_bytes = source.seek(0, 2)
            metadata = pq.read_metadata(source)
    except (FileNotFoundError, StoreUnavailable):
        raise
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{place}: {error}") from error
    footer = footer_of(metadata, place)
    if footer.range != file:
        raise UnreadableFile(f"{place}: its footer says it is {footer.range.label}, or of another date")
    if footer.schema_version not in READABLE_VERSIONS:
        raise UnreadableFile(f"{place}: its schema is of version {footer.schema_version}")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    decoded_bytes = sum(group.total_byte_size for group in groups)
    return Measured(size_bytes, decoded_bytes, footer.rows, _newest(metadata))


def _newest(metadata: pq.FileMetaData) -> datetime | None:
    position = metadata.schema.names.index("log_appended_at")
    groups = (
        metadata.row_group(number).column(position).statistics for number in range(metadata.num_row_groups)
    )
    return max((group.max for group in groups if group is not None and group.has_min_max), default=None)


def runs(files: Iterable[LandedRange], measured: Measure, target_bytes: int, now: datetime) -> list[Run]:
    """The runs among these files, which must be all of their partitions.

    A day (UTC) that is over by `now` is closed, and so is an hour of the present day: the hour of a file is
    that in which the log took its newest record. A clock that is wrong closes an hour too early or too late;
    that costs one more or one less rewriting, and nothing else, for whatever lands later is a run of its own.

    The file in which a partition ends is never in a run: where it ends is then told by a name that nobody
    removes while somebody lists the folder.
    """
    found: list[Run] = []
    for stretch in _stretches(files):
        found += _packed(stretch, measured, target_bytes, now.astimezone(UTC))
    return found


def _stretches(files: Iterable[LandedRange]) -> Iterator[list[Share]]:
    """Files of one date that follow each other, two at least, by names alone."""
    counting = [share for share in shares(files) if not share.is_empty]
    for _, group in groupby(counting, key=lambda share: (share.file.log_id, share.file.source)):
        stretch: list[Share] = []
        *of_partition, _newest_one = group
        for share in of_partition:
            if stretch and not _follows(share, stretch[-1]):
                if len(stretch) > 1:
                    yield stretch
                stretch = []
            stretch.append(share)
        if len(stretch) > 1:
            yield stretch


def _follows(share: Share, previous: Share) -> bool:
    return (
        share.first_offset == previous.last_offset + 1
        and share.file.received_date == previous.file.received_date
    )


def _packed(stretch: list[Share], measured: Measure, target_bytes: int, now: datetime) -> Iterator[Run]:
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    taken: list[Share] = []
    weight = 0
    hour_of_taken: datetime | None = None
    for share in stretch:
        found = measured(share.file)
        hour = None
        goes_in = found is not None and not found.is_full(target_bytes)
        if goes_in and found is not None and share.file.received_date >= now.date():
            hour = found.newest and found.newest.replace(minute=0, second=0, microsecond=0)
            goes_in = hour is not None and hour < this_hour
        heavier = weight + (found.weight if found is not None else 0)
        if taken and not (goes_in and hour == hour_of_taken and heavier <= target_bytes):
            if len(taken) > 1:
                yield Run(tuple(taken))
            taken, weight = [], 0
        # Whose first offsets count in another file: it would stand for these without having their rows.
        if goes_in and found is not None and (taken or share.is_whole):
            taken.append(share)
            weight += found.weight
            hour_of_taken = hour
    if len(taken) > 1:
        yield Run(tuple(taken))
