"""Proves that everything in the log is landed, each offset exactly once; says in words what is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ingest.event_log import open_reader
from ingest.event_log.base import Partition
from ingest.gaps import Gap, recorded_gaps
from ingest.landed_files import LandedRange, landed_files
from ingest.landed_receipts import AskedReceipts, LandedReceipts, ReceiptCounts, read_receipts
from ingest.lander import TOPICS
from ingest.landing import Connect
from ingest.offset_proof import LogBounds, PartitionReport, prove_partition
from ingest.raw_store import open_store
from ingest.raw_store.base import RawStore
from ingest.settings import Settings
from ingest.spool.folders import FILE_NAME, spools_in

GROUP = "asleep-verify"

_NAMED_AT_MOST = 10


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` found; `problems` say in words what is wrong, `notes` what is odd but explained.

    `receipts` is there after a deep look, `asked_receipts` where receipts were given.
    """

    partitions: tuple[PartitionReport, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    receipts: ReceiptCounts | None = None
    asked_receipts: AskedReceipts | None = None

    @property
    def ok(self) -> bool:
        """Whether everything in the log is landed, each offset exactly once, and each receipt asked for."""
        return not self.problems


def verify(
    settings: Settings, *, deep: bool = False, receipts: Path | None = None, connect: Connect | None = None
) -> VerifyReport:
    """Hold the landed files against the event log, by their names and footers.

    `deep` also reads the offsets and receipts inside. `receipts` is a file with one receipt id a line, each
    of which must be landed. A receipt may be landed more than once, by an append that timed out and was tried
    again: that is counted, and no problem. Files of other logs are only held against each other. Recorded
    gaps are problems until they are accepted (see ingest/gaps.py). What is still on a spool of these settings
    is a problem. The lander may be at work meanwhile: what it has not landed yet is a problem by that name.
    Raises LogUnavailable, and OSError where `receipts` is unreadable.
    """
    asked = None if receipts is None else read_receipts(receipts)
    # Before the log: what is drained meanwhile is then seen in one of the two, if not in both.
    store = open_store(settings)
    problems = _accepted_but_not_in_the_log(settings.spool_path)
    with closing((connect or partial(open_reader, settings, TOPICS, GROUP))(_ignore, _ignore)) as reader:
        sources = reader.partitions(TOPICS)
        first, end = reader.first_offsets(sources), reader.end_offsets(sources)
        files = [file for topic in TOPICS for file in landed_files(store, topic)]
        later_end = reader.end_offsets(sources)
        log_id = reader.log_id
    bounds = {source: LogBounds(first[source], end[source], later_end[source]) for source in sources}
    partitions = _prove_partitions(store, log_id, bounds, files)
    problems += [problem for report in partitions for problem in report.problems]
    problems += _strangers(store, files)
    notes = [note for report in partitions for note in report.notes]
    counts = found = None
    if deep or asked is not None:
        landed = LandedReceipts(store)
        problems += [problem for problem in map(landed.add, files) if problem is not None]
        if deep:
            counts = landed.count()
        if asked is not None:
            found = landed.look_for(asked)
            problems += _missing_receipts(found)
    return VerifyReport(tuple(partitions), tuple(dict.fromkeys(problems)), tuple(notes), counts, found)


def _ignore(_: Collection[Partition]) -> None:
    """A reader that does not poll is assigned nothing."""


def _accepted_but_not_in_the_log(root: Path) -> list[str]:
    try:
        return [problem for spool in spools_in(root) for problem in _left_on(spool)]
    except OSError as error:
        return [f"{root}: whether events wait on a spool there can not be told: {error}"]


def _left_on(spool: Path) -> list[str]:
    """What is on a spool, in words; it may have an owner, who is not disturbed, or end meanwhile."""
    file = spool / FILE_NAME
    try:
        # Like any reader of a write-ahead log it stops no writer, and it changes nothing.
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            (records,) = database.execute("SELECT count(*) FROM records").fetchone()
    except sqlite3.Error as error:
        if not file.exists() and not file.with_name(f"{FILE_NAME}-wal").exists():
            return []
        return [f"{file}: whether events wait there can not be told: {error}"]
    if not records:
        return []
    remedy = "once the log is there a running receiver moves them; else start one, or run `asleep drain`"
    return [f"{file}: {records:,} accepted records are not in the log yet: {remedy}"]


def _prove_partitions(
    store: RawStore, log_id: str, bounds: dict[Partition, LogBounds], files: list[LandedRange]
) -> list[PartitionReport]:
    spans: dict[tuple[str, Partition], tuple[list[LandedRange], list[Gap]]] = {
        (log_id, source): ([], []) for source in bounds
    }
    for file in files:
        spans.setdefault((file.log_id, file.source), ([], []))[0].append(file)
    for gap in (gap for topic in TOPICS for gap in recorded_gaps(store, topic)):
        spans.setdefault((gap.log_id, gap.source), ([], []))[1].append(gap)
    reports = []
    for (owner, source), (of_source, lost) in sorted(spans.items()):
        report = PartitionReport(owner, source, bounds.get(source) if owner == log_id else None)
        prove_partition(store, report, of_source, lost)
        if owner == log_id and source not in bounds:
            report.problems.append(
                f"{source.topic}[{source.partition}]: landed, but the log has no such partition"
            )
        reports.append(report)
    return reports


def _strangers(store: RawStore, files: list[LandedRange]) -> list[str]:
    ours = {file.name for file in files}
    return [
        f"{store.url}/{name}: not a name that the lander gives; its rows are in no table"
        for name in sorted(store.names(""))
        if name.endswith(".parquet") and name not in ours
    ]


def _missing_receipts(found: AskedReceipts) -> list[str]:
    problems = [f"receipt {receipt}: not landed" for receipt in found.missing[:_NAMED_AT_MOST]]
    if len(found.missing) > _NAMED_AT_MOST:
        problems.append(f"{len(found.missing) - _NAMED_AT_MOST} more receipts: not landed")
    return problems
