"""The offsets of each partition, held against files, recorded gaps and retired ranges: none is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ingest.coverage import Share, shares
from ingest.event_log.base import Partition
from ingest.gaps import Gap
from ingest.landed_files import LandedRange
from ingest.overlaps import tell_overlaps
from ingest.parquet_files import READABLE_VERSIONS, Footer, UnreadableFile
from ingest.partition_report import LogBounds, PartitionReport
from ingest.raw_store.base import RawStore
from ingest.retired import Retired


@dataclass
class Evidence:
    """What there is of partitions: files with what they say of themselves, recorded gaps, retired ranges."""

    footers: dict[LandedRange, Footer | UnreadableFile] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    retired: list[Retired] = field(default_factory=list)


def prove_partitions(
    store: RawStore, log_id: str, bounds: Mapping[Partition, LogBounds], evidence: Evidence
) -> list[PartitionReport]:
    """A report for each partition of the log, of which `bounds` tells, and for each other that has files."""
    found: dict[tuple[str, Partition], Evidence] = defaultdict(Evidence)
    for source in bounds:
        found[log_id, source] = Evidence()
    for file, footer in evidence.footers.items():
        found[file.log_id, file.source].footers[file] = footer
    for gap in evidence.gaps:
        found[gap.log_id, gap.source].gaps.append(gap)
    for each in evidence.retired:
        found[each.log_id, each.source].retired.append(each)
    reports = []
    for (owner, source), of_source in sorted(found.items(), key=lambda item: item[0]):
        report = PartitionReport(owner, source, bounds.get(source) if owner == log_id else None)
        _prove_partition(store, report, of_source)
        if owner == log_id and source not in bounds:
            report.problems.append(
                f"{source.topic}[{source.partition}]: landed, but the log has no such partition"
            )
        reports.append(report)
    return reports


def _prove_partition(store: RawStore, report: PartitionReport, evidence: Evidence) -> None:
    """Fill the report of a partition from its files, by name and footer, and from what is recorded beside."""
    footers = evidence.footers
    report.files = len(footers)
    if footers:
        report.first_landed = min(file.first_offset for file in footers)
        report.last_landed = max(file.last_offset for file in footers)
    of_files = list(shares(footers))
    for share in of_files:
        _prove_footer(store, report, share, footers[share.file])
    tell_overlaps(store, report, of_files, footers)
    for gap in evidence.gaps:
        _tell_gap(store, report, gap)
    counting = [share for share in of_files if not share.is_empty]
    _prove_contiguous(report, counting, evidence)


def _prove_footer(
    store: RawStore, report: PartitionReport, share: Share, footer: Footer | UnreadableFile
) -> None:
    file = share.file
    place = f"{store.url}/{file.name}"
    if isinstance(footer, UnreadableFile):
        report.problems.append(f"unreadable: {footer}")
        return
    offsets = file.last_offset - file.first_offset + 1
    report.rows += min(footer.rows, share.offsets)
    if share.is_whole:
        report.without_row += max(offsets - footer.rows, 0)
    if footer.schema_version not in READABLE_VERSIONS:
        report.problems.append(f"{place}: its schema is of version {footer.schema_version}")
    if footer.range != file:
        report.problems.append(f"{place}: its footer says it is {footer.range.label}, or of another date")
    elif footer.rows > offsets:
        report.problems.append(f"{place}: has {footer.rows} rows for {offsets} offsets")
    elif footer.rows < offsets and not share.is_empty:
        report.notes.append(
            f"{file.label}: the log had no record at {offsets - footer.rows} of these offsets"
        )
    if footer.replaces and not _adds_up(footer):
        report.problems.append(f"{place}: the files that it replaces do not make up its offsets and rows")


def _adds_up(footer: Footer) -> bool:
    expected = footer.range.first_offset
    for part in footer.replaces:
        if part.first_offset != expected or part.last_offset < expected:
            return False
        expected = part.last_offset + 1
    return expected == footer.range.last_offset + 1 and footer.rows == sum(
        part.rows for part in footer.replaces
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


def _prove_contiguous(report: PartitionReport, files: Iterable[Share], evidence: Evidence) -> None:
    """Every offset from 0 to the log's end is in a file, in a gap, or retired."""
    expected = 0
    left = 0
    spans: list[Share | Gap | Retired] = sorted(
        [*evidence.retired, *files, *evidence.gaps], key=lambda span: (span.first_offset, -span.last_offset)
    )
    retired_to = 0
    for span in spans:
        if span.first_offset > expected:
            report.missing += span.first_offset - expected
            report.problems.append(f"{report.label(expected, span.first_offset - 1)}: in no file")
        elif span.first_offset < expected and not isinstance(span, Retired):
            if span.last_offset < retired_to and isinstance(span, Share):
                left += 1
            else:
                last = min(span.last_offset, expected - 1)
                overlap = report.label(span.first_offset, last)
                report.problems.append(f"{overlap}: in a file, and recorded as lost or retired")
        if isinstance(span, Retired):
            report.retired += max(span.last_offset + 1 - max(span.first_offset, retired_to), 0)
            retired_to = max(retired_to, span.last_offset + 1)
        expected = max(expected, span.last_offset + 1)
    if left:
        where = f"{report.source.topic}[{report.source.partition}]"
        report.notes.append(f"{where}: {left} files are of a retired range; `asleep retire` removes them")
    _prove_end(report, expected)


def _prove_end(report: PartitionReport, expected: int) -> None:
    """What is accounted for up to before `expected` ends where the log does."""
    if report.log is None:
        return
    first, end = max(expected, report.log.first_offset), report.log.end_offset
    report.missing += first - expected
    report.not_yet_landed = max(end - first, 0)
    if expected < first:
        report.problems.append(f"{report.label(expected, first - 1)}: in no file, and no longer in the log")
    if first < end:
        report.on_their_way.append(f"{report.label(first, end - 1)}: not yet landed")
        report.problems += report.on_their_way
    if expected > report.log.later_end_offset:
        beyond = report.label(report.log.later_end_offset, expected - 1)
        report.problems.append(f"{beyond}: landed, but beyond the end of the log; was it made anew?")
