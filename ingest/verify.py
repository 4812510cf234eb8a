"""Proves that everything in the log is landed, each offset exactly once; says in words what is not."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa

from ingest.coverage import shares
from ingest.event_log import open_reader
from ingest.event_log.base import EventLogReader, Partition
from ingest.gaps import recorded_gaps
from ingest.landed_files import LandedRange, landed_files
from ingest.landed_receipts import AskedReceipts, LandedReceipts, read_receipts
from ingest.lander import TOPICS
from ingest.landing import Connect
from ingest.offset_proof import Evidence, prove_partitions
from ingest.on_spools import accepted_but_not_in_the_log
from ingest.overlaps import Footers, differences
from ingest.parquet_files import Footer, UnreadableFile, read_footer
from ingest.partition_report import LogBounds
from ingest.raw_store import open_store
from ingest.raw_store.base import RawStore
from ingest.retired import retired_ranges
from ingest.settings import Settings
from ingest.verdict import VerifyReport

__all__ = ["GROUP", "VerifyReport", "verify"]

GROUP: Final = "asleep-verify"

_NAMED_AT_MOST: Final = 10
_LOOKS: Final = 4  # as many as may be disturbed by a compaction before its traces are told as faults
_FAR_AWAY_AT_ONCE: Final = 32


def verify(
    settings: Settings, *, deep: bool = False, receipts: Path | None = None, connect: Connect | None = None
) -> VerifyReport:
    """Hold the landed files against the event log, by their names and footers.

    `deep` also reads the offsets and receipts inside, and compares the rows of files that overlap. `receipts`
    is a file with one receipt id a line, each of which must be landed. A receipt may be landed more than
    once, by an append that timed out and was tried again: that is counted, and no problem. Files of other
    logs are only held against each other. Recorded gaps are problems until they are accepted (see
    ingest/gaps.py). What is still on a spool of these settings is a problem. The lander may be at work
    meanwhile: what it has not landed yet is a problem by that name; so may a compaction.
    Raises LogUnavailable; OSError where the files can not be listed, or `receipts` is unreadable.
    """
    asked = None if receipts is None else read_receipts(receipts)
    # Before the log: what is drained meanwhile is then seen in one of the two, if not in both.
    on_spools = accepted_but_not_in_the_log(settings.spool_path)
    look = _Look(open_store(settings), settings.data_dir, deep=deep, asked=asked)
    with closing((connect or partial(open_reader, settings, TOPICS, GROUP))(_ignore, _ignore)) as reader:
        report, files = look.at(reader, on_spools)
        for _ in range(_LOOKS - 1):
            if report.ok or not look.is_disturbed(files):
                break
            report, files = look.at(reader, on_spools)
    return report


class _Look:
    """Looks at all files; what was read of one is remembered, for files do not change."""

    def __init__(self, store: RawStore, scratch: Path, *, deep: bool, asked: pa.Array | None) -> None:
        self._store = store
        self._scratch = scratch
        self._deep = deep
        self._asked = asked
        self._footers: dict[LandedRange, Footer] = {}

    def at(self, reader: EventLogReader, on_spools: Iterable[str]) -> tuple[VerifyReport, list[LandedRange]]:
        """The report, and the files it is about."""
        sources = reader.partitions(TOPICS)
        first, end = reader.first_offsets(sources), reader.end_offsets(sources)
        files = self._files()
        evidence = Evidence(
            dict(self._read_footers(files)),
            [gap for topic in TOPICS for gap in recorded_gaps(self._store, topic)],
            [each for topic in TOPICS for each in retired_ranges(self._store, topic)],
        )
        later_end = reader.end_offsets(sources)
        bounds = {source: LogBounds(first[source], end[source], later_end[source]) for source in sources}
        partitions = prove_partitions(self._store, reader.log_id, bounds, evidence)
        problems = [*on_spools, *(problem for report in partitions for problem in report.problems)]
        problems += _strangers(self._store, files)
        notes = [note for report in partitions for note in report.notes]
        counts = found = None
        if self._deep or self._asked is not None:
            landed = LandedReceipts(self._store)
            counting = [share for share in shares(files) if not share.is_empty]
            problems += [problem for problem in map(landed.add, counting) if problem is not None]
            if self._deep:
                counts = landed.count()
                problems += differences(self._store, files, self._scratch)
            if self._asked is not None:
                found = landed.look_for(self._asked)
                problems += _missing_receipts(found)
        unique = tuple(dict.fromkeys(problems))
        waiting = (*on_spools, *(each for report in partitions for each in report.on_their_way))
        return VerifyReport(tuple(partitions), unique, tuple(notes), counts, found, waiting), files

    def is_disturbed(self, files: Collection[LandedRange]) -> bool:
        """Whether files were removed or replaced since these were listed; new ones behind them do no harm."""
        now = self._files()
        ends = {(file.log_id, file.source): file.last_offset for file in sorted(files)}
        return bool(set(files).difference(now)) or any(
            file.first_offset <= ends.get((file.log_id, file.source), -1)
            for file in set(now).difference(files)
        )

    def _files(self) -> list[LandedRange]:
        return [file for topic in TOPICS for file in landed_files(self._store, topic)]

    def _read_footers(self, files: Collection[LandedRange]) -> Footers:
        unknown = [file for file in files if file not in self._footers]
        unreadable: dict[LandedRange, UnreadableFile] = {}
        for file, footer in zip(unknown, self._read_all(unknown), strict=True):
            if isinstance(footer, Footer):
                self._footers[file] = footer
            else:
                unreadable[file] = footer
        return {file: unreadable.get(file) or self._footers[file] for file in files}

    def _read_all(self, files: Collection[LandedRange]) -> list[Footer | UnreadableFile]:
        if "://" not in self._store.url:  # a disk of this machine answers before a thread is at work
            return [self._read(file) for file in files]
        with ThreadPoolExecutor(_FAR_AWAY_AT_ONCE) as pool:
            return list(pool.map(self._read, files))

    def _read(self, file: LandedRange) -> Footer | UnreadableFile:
        try:
            return read_footer(self._store, file.name)
        except UnreadableFile as error:
            return error


def _ignore(_: Collection[Partition]) -> None:
    """A reader that does not poll is assigned nothing."""


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
