"""Files of one partition that have offsets in common: which count for nothing, and whether rows agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from ingest.coverage import Share, shares, whole
from ingest.landed_files import LandedRange
from ingest.parquet_files import Footer, UnreadableFile
from ingest.partition_report import PartitionReport
from ingest.raw_store.base import RawStore
from ingest.same_rows import unproven

Footers = Mapping[LandedRange, Footer | UnreadableFile]
"""What each file says of itself, or why it can not be read."""


def tell_overlaps(
    store: RawStore, report: PartitionReport, of_files: Sequence[Share], footers: Footers
) -> None:
    """Say which files are superfluous, and why; and which overlap in a way that nothing of ours leaves."""
    replaced = held = 0
    holder: Share | None = None
    for share in of_files:
        file = share.file
        report.twice += file.last_offset - file.first_offset + 1 - share.offsets
        if share.is_empty:
            report.superfluous += 1
            if holder is not None and _replaces(holder.file, file, footers):
                replaced += 1
            else:
                held += 1
            continue
        holder = share
        if share.first_offset > file.first_offset:
            overlap = report.label(file.first_offset, share.first_offset - 1)
            if store.is_exclusive:
                report.problems.append(f"{overlap}: in more than one file")
            else:
                report.notes.append(f"{overlap}: in more than one file, of which the first counts")
    where = f"{report.source.topic}[{report.source.partition}]"
    if replaced:
        report.notes.append(
            f"{where}: {replaced} files are replaced by compacted ones; `asleep compact` removes them"
        )
    if held:
        report.notes.append(
            f"{where}: {held} files hold nothing that others do not hold, too; `asleep compact` removes them"
        )


def _replaces(compacted: LandedRange, file: LandedRange, footers: Footers) -> bool:
    footer = footers[compacted]
    return isinstance(footer, Footer) and bool(footer.replaces) and compacted.last_offset >= file.last_offset


def differences(store: RawStore, files: Iterable[LandedRange], scratch: Path) -> list[str]:
    """Where rows of the same offset are not the same in two files, in words."""
    problems: list[str] = []
    for _, group in groupby(shares(files), key=lambda share: (share.file.log_id, share.file.source)):
        of_partition = list(group)
        parts = [_doubled(share) for share in of_partition if not share.is_whole]
        counting = [share for share in of_partition if not share.is_empty]
        try:
            problems += unproven(store, parts, counting, scratch).values()
        except (UnreadableFile, FileNotFoundError) as error:
            problems.append(f"unreadable: {error}")
    return problems


def _doubled(share: Share) -> Share:
    """The part of a file for which another one counts."""
    return (
        whole(share.file)
        if share.is_empty
        else Share(share.file, share.file.first_offset, share.first_offset - 1)
    )
