"""Removes landed files that count for nothing, once all their rows are proved to be in those that count."""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Final

from ingest.compaction.plan import measure
from ingest.coverage import Share, shares, whole
from ingest.landed_files import LandedRange
from ingest.parquet_files import UnreadableFile
from ingest.raw_store.base import RawStore
from ingest.same_rows import unproven
from ingest.telemetry import log_event

_logger: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Removal:
    """Files of one partition that may go, and those that count for their offsets."""

    files: tuple[LandedRange, ...]
    holders: tuple[Share, ...]

    def without(self, files: Collection[LandedRange]) -> Removal:
        """The same, but for these."""
        return replace(self, files=tuple(file for file in self.files if file not in files))


def removals(files: Iterable[LandedRange]) -> Iterator[Removal]:
    """The files that count for nothing, together with those that have the same holders.

    One that ends where its partition ends stays: where that is must not hang on a name that somebody removes
    while somebody else lists the folder.
    """
    for _, group in groupby(shares(files), key=lambda share: (share.file.log_id, share.file.source)):
        of_partition = list(group)
        end = max(share.file.last_offset for share in of_partition)
        counting = [share for share in of_partition if not share.is_empty]
        may_go = [share.file for share in of_partition if share.is_empty and share.file.last_offset < end]
        for holders, held in groupby(may_go, key=lambda file: _holders(file, counting)):
            yield Removal(tuple(held), holders)


def _holders(file: LandedRange, counting: list[Share]) -> tuple[Share, ...]:
    begin = bisect_left(counting, file.first_offset, key=lambda share: share.last_offset)
    end = bisect_right(counting, file.last_offset, key=lambda share: share.first_offset)
    return tuple(counting[begin:end])


def remove_proved(store: RawStore, removal: Removal, scratch: Path) -> dict[LandedRange, str]:
    """Remove the files that are proved to be held; the others, and why not, in words.

    Raises OSError, and FileNotFoundError where somebody else has removed one of the files meanwhile.
    """
    try:
        for share in removal.holders:
            measure(store, share.file)
        left = unproven(store, map(whole, removal.files), removal.holders, scratch)
    except UnreadableFile as error:
        left = dict.fromkeys(removal.files, f"not proved to be held elsewhere: {error}")
    going = [file for file in removal.files if file not in left]
    if going:
        store.settle([share.file.name for share in removal.holders])
    for file in going:
        store.remove(file.name)
        log_event(_logger, logging.DEBUG, "removed a file that others hold", range=file.label)
    return left
