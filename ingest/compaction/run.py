"""Joins the runs of landed files, one after the other, and removes what is proved to be held by others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ingest.compaction.plan import Measured, Run, measure, runs
from ingest.compaction.removal import removals, remove_proved
from ingest.landed_files import LandedRange, landed_files, log_folder
from ingest.landed_rows import read_rows
from ingest.parquet_files import Replaced, UnreadableFile, write_groups
from ingest.raw_store import open_store
from ingest.raw_store.base import RawStore
from ingest.records import Topic
from ingest.row_order import in_order
from ingest.settings import Settings
from ingest.telemetry import log_event

SORTED_BY: Final = ("user_id", "session_id", "log_offset")

_logger: Final = logging.getLogger(__name__)

Progress = Callable[[str, int, int], object]
"""Told what is being joined, how many files of the topic are done, and of how many."""


@dataclass
class CompactionReport:
    """What a compaction did.

    `joined` files with `bytes_before` bytes and `rows` rows became `made` files with `bytes_after` bytes.
    `removed` counts the files that were removed: those joined, and those of an earlier compaction that had
    been interrupted. `left_alone` says in words what could not be read, or not be proved.
    """

    joined: int = 0
    made: int = 0
    rows: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    removed: int = 0
    files_before: int = 0
    files_after: int = 0
    left_alone: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing had to be left alone."""
        return not self.left_alone


def compact(
    settings: Settings,
    *,
    store: RawStore | None = None,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> CompactionReport:
    """Join small landed files of closed hours and days up to `settings.compact_target_bytes`.

    Landers, readers and other compactions may be at work meanwhile, and it may die at any moment. A second
    call finds nothing to do. Raises OSError where the store can not be reached, or refuses.
    """
    report = CompactionReport()
    compaction = _Compaction(
        store or open_store(settings),
        settings.compact_target_bytes,
        settings.data_dir,
        now or datetime.now(UTC),
        report,
    )
    for topic in Topic:
        compaction.compact(topic, progress or (lambda *_: None))
    return report


class _Compaction:
    def __init__(
        self, store: RawStore, target_bytes: int, scratch: Path, now: datetime, report: CompactionReport
    ) -> None:
        self._store = store
        self._target_bytes = target_bytes
        self._scratch = scratch
        self._now = now
        self._report = report
        self._known: dict[LandedRange, Measured | None] = {}
        self._unproven: set[LandedRange] = set()

    def compact(self, topic: str, progress: Progress) -> None:
        for path in self._store.sweep(topic):
            log_event(_logger, logging.INFO, "removed an unfinished file", path=path)
        files = landed_files(self._store, topic)
        self._report.files_before += len(files)
        self._remove_replaced(topic)
        done = 0
        # What was joined may be small still: a file grows smaller by being joined.
        while planned := runs(
            landed_files(self._store, topic), self._measured, self._target_bytes, self._now
        ):
            total = done + sum(len(run.sources) for run in planned)
            for run in planned:
                progress(run.range.label, done, total)
                self._join(run)
                done += len(run.sources)
            self._remove_replaced(topic)
        self._report.files_after += len(landed_files(self._store, topic))

    def _measured(self, file: LandedRange) -> Measured | None:
        if file not in self._known:
            try:
                self._known[file] = measure(self._store, file)
            except FileNotFoundError:
                self._known[file] = None  # another compaction, or retention, was here
            except UnreadableFile as error:
                self._leave_alone(file, f"unreadable: {error}")
        return self._known[file]

    def _leave_alone(self, file: LandedRange, why: str) -> None:
        self._known[file] = None
        self._report.left_alone.append(why)
        log_event(_logger, logging.ERROR, "left a file as it is", range=file.label, why=why)

    def _join(self, run: Run) -> None:
        """Create the file that replaces the run's."""
        made = run.range
        replaces: list[Replaced] = []
        rows = in_order(self._rows(run, replaces), SORTED_BY, self._scratch)
        try:
            size_bytes = self._store.create(
                made.name,
                lambda file: write_groups(file, rows, made, replaces),
                lambda: None,
                alone_in=log_folder(made.topic, made.log_id),
            )
        except FileExistsError:
            return  # another compaction was quicker: its file is proved before anything is removed
        except FileNotFoundError:
            for share in run.sources:  # another one has removed some: look at them anew another time
                self._known[share.file] = None
            return
        except _Unjoinable as error:
            self._leave_alone(error.file, str(error))
            return
        measured = [self._known[share.file] for share in run.sources]
        bytes_before = sum(each.size_bytes for each in measured if each is not None)
        self._report.joined += len(run.sources)
        self._report.made += 1
        self._report.rows += sum(part.rows for part in replaces)
        self._report.bytes_before += bytes_before
        self._report.bytes_after += size_bytes
        log_event(
            _logger,
            logging.INFO,
            "joined files",
            range=made.label,
            files=len(run.sources),
            rows=sum(part.rows for part in replaces),
            bytes_before=bytes_before,
            bytes_after=size_bytes,
        )

    def _rows(self, run: Run, replaces: list[Replaced]) -> Iterator[pa.Table]:
        """All rows of the run's files; fills `replaces` on the way."""
        for share in run.sources:
            count = 0
            try:
                for table in read_rows(self._store, share):
                    _prove_within(share.file, table)
                    count += table.num_rows
                    yield table
            except UnreadableFile as error:
                raise _Unjoinable(share.file, f"unreadable: {error}") from error
            known = self._known[share.file]
            if share.is_whole and known is not None and count != known.rows:
                raise _Unjoinable(
                    share.file, f"{share.file.name}: {count} rows could be read of {known.rows}"
                )
            replaces.append(Replaced(share.first_offset, share.last_offset, count))

    def _remove_replaced(self, topic: str) -> None:
        """Remove the files that count for nothing and are proved to be held by those that count."""
        files = landed_files(self._store, topic)
        for removal in [found.without(self._unproven) for found in removals(files)]:
            try:
                unproven = remove_proved(self._store, removal, self._scratch)
            except FileNotFoundError:
                continue  # another compaction is at the same files
            self._report.removed += len(removal.files) - len(unproven)
            for file, why in unproven.items():
                self._unproven.add(file)
                self._leave_alone(file, why)


class _Unjoinable(Exception):
    """A file can not be read whole; the text says which, and why."""

    def __init__(self, file: LandedRange, why: str) -> None:
        super().__init__(why)
        self.file = file


def _prove_within(file: LandedRange, table: pa.Table) -> None:
    """Raise _Unjoinable where there are offsets that the file's name does not tell of."""
    said = pc.min_max(table["log_offset"]).as_py()
    first, last = said["min"], said["max"]
    if first is not None and not file.first_offset <= first <= last <= file.last_offset:
        raise _Unjoinable(file, f"{file.name}: the offsets inside are {first}..{last}")
