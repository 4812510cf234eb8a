"""The offsets of one partition, held against its files and recorded gaps: none left out, none twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ingest.event_log.base import Partition
from ingest.gaps import Gap
from ingest.landed_files import LandedRange, offsets_label
from ingest.parquet_files import READABLE_VERSIONS, UnreadableFile, read_footer
from ingest.raw_store.base import RawStore


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

    `log` is None for a log that is not the one of the settings, or has no such partition. Counts of offsets:
    `without_row` are inside files, but the log had no record there; `lost` are in recorded gaps; `missing`
    are before the last landed one, but in no file; `twice` are in more than one; `not_yet_landed` are in the
    log, after the last landed one. `problems` say in words what is wrong, `notes` what is odd but explained.
    """

    log_id: str
    source: Partition
    log: LogBounds | None
    first_landed: int | None = None
    last_landed: int | None = None
    files: int = 0
    rows: int = 0
    without_row: int = 0
    lost: int = 0
    missing: int = 0
    twice: int = 0
    not_yet_landed: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def label(self, first: int, last: int) -> str:
        """A range of offsets of this partition, for people."""
        return offsets_label(self.source, first, last)


def prove_partition(
    store: RawStore, report: PartitionReport, files: Sequence[LandedRange], gaps: Sequence[Gap]
) -> None:
    """Fill the report of a partition from the names and footers of its files, and from its gaps."""
    report.files = len(files)
    if files:
        report.first_landed = min(file.first_offset for file in files)
        report.last_landed = max(file.last_offset for file in files)
    for file in files:
        _prove_footer(store, report, file)
    for gap in gaps:
        _tell_gap(store, report, gap)
    _prove_contiguous(report, [*files, *gaps])


def _prove_footer(store: RawStore, report: PartitionReport, file: LandedRange) -> None:
    place = f"{store.url}/{file.name}"
    try:
        footer = read_footer(store, file.name)
    except UnreadableFile as error:
        report.problems.append(f"unreadable: {error}")
        return
    offsets = file.last_offset - file.first_offset + 1
    report.rows += footer.rows
    report.without_row += max(offsets - footer.rows, 0)
    if footer.schema_version not in READABLE_VERSIONS:
        report.problems.append(f"{place}: its schema is of version {footer.schema_version}")
    if footer.range != file:
        report.problems.append(f"{place}: its footer says it is {footer.range.label}, or of another date")
    elif footer.rows > offsets:
        report.problems.append(f"{place}: has {footer.rows} rows for {offsets} offsets")
    elif footer.rows < offsets:
        report.notes.append(
            f"{file.label}: the log had no record at {offsets - footer.rows} of these offsets"
        )


def _tell_gap(store: RawStore, report: PartitionReport, gap: Gap) -> None:
    report.lost += gap.last_offset - gap.first_offset + 1
    try:
        reason = gap.accepted_because(store)
    except ValueError as error:
        report.problems.append(f"{store.url}/{gap.name}: is not JSON: {error}")
        return
    if reason is None:
        report.problems.append(
            f"{gap.label}: the log dropped these before they were landed; to live with it, write why into"
            f" accepted_because in {store.url}/{gap.name}"
        )
    else:
        report.notes.append(f"{gap.label}: lost, accepted because: {reason}")


def _prove_contiguous(report: PartitionReport, spans: Iterable[LandedRange | Gap]) -> None:
    """Every offset from 0 to the log's end is in one span, and in no other."""
    expected = 0
    for span in sorted(spans, key=lambda span: (span.first_offset, span.last_offset)):
        if span.first_offset > expected:
            report.missing += span.first_offset - expected
            report.problems.append(f"{report.label(expected, span.first_offset - 1)}: in no file")
        elif span.first_offset < expected:
            last = min(span.last_offset, expected - 1)
            report.twice += last - span.first_offset + 1
            report.problems.append(f"{report.label(span.first_offset, last)}: in more than one file")
        expected = max(expected, span.last_offset + 1)
    if report.log is None:
        return
    first, end = max(expected, report.log.first_offset), report.log.end_offset
    report.missing += first - expected
    report.not_yet_landed = max(end - first, 0)
    if expected < first:
        report.problems.append(f"{report.label(expected, first - 1)}: in no file, and no longer in the log")
    if first < end:
        report.problems.append(f"{report.label(first, end - 1)}: not yet landed")
    if expected > report.log.later_end_offset:
        beyond = report.label(report.log.later_end_offset, expected - 1)
        report.problems.append(f"{beyond}: landed, but beyond the end of the log; was it made anew?")
