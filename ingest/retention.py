"""Removes landed files for their age, once the warehouse has loaded them; what is gone is written down first.

Of a partition only files from its beginning on go, never one behind a file that stays, and never the one in
which it ends, which tells landers where to go on. A crash between the writing down and the removing leaves
files of a range that is retired: the next retention removes them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Final

from ingest.event_log.base import Partition
from ingest.gaps import Gap, gaps_among
from ingest.landed_files import LandedRange, landed_files
from ingest.raw_store import open_store
from ingest.raw_store.base import RawStore
from ingest.records import Topic
from ingest.retired import Retired, record_retired, retired_among
from ingest.settings import Settings
from ingest.telemetry import log_event

_logger: Final = logging.getLogger(__name__)

IsLoaded = Callable[[LandedRange], bool]
"""Whether the published warehouse holds all that a file holds."""


@dataclass
class RetirementReport:
    """How many files were removed, by topic; and which are old enough, but have to stay, in words."""

    removed: dict[str, int] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)

    @property
    def files(self) -> int:
        """How many files were removed of all topics."""
        return sum(self.removed.values())


def retire(
    settings: Settings, is_loaded: IsLoaded, *, today: date, store: RawStore | None = None
) -> RetirementReport:
    """Remove landed files that are older than the settings keep them, and that are loaded.

    A file is old when its received_date is more than so many days before `today` (UTC). Its age alone removes
    no file: `is_loaded` is asked for each, also for one that an interrupted retention left behind. Landers,
    builds and compactions may be at work meanwhile. Raises OSError.
    """
    store = store or open_store(settings)
    report = RetirementReport()
    for topic, days in (
        (Topic.EVENTS, settings.keep_events_days),
        (Topic.ATTEMPTS, settings.keep_attempts_days),
    ):
        if days is not None:
            oldest_kept = today - timedelta(days=days)
            report.removed[topic] = _retire_topic(store, topic, oldest_kept, is_loaded, report)
    return report


def _retire_topic(
    store: RawStore, topic: str, oldest_kept: date, is_loaded: IsLoaded, report: RetirementReport
) -> int:
    names = store.names(topic)
    retired, gaps = retired_among(names), gaps_among(names)
    removed = 0
    by_partition = groupby(landed_files(store, topic), key=lambda file: (file.log_id, file.source))
    for (log_id, source), group in by_partition:
        known = [each for each in retired if (each.log_id, each.source) == (log_id, source)]
        holes = [each for each in gaps if (each.log_id, each.source) == (log_id, source)]
        files = sorted(group, key=lambda file: (file.first_offset, file.last_offset))
        old = _loaded_prefix(files, oldest_kept, is_loaded, report)
        for run in _runs(old, [*holes, *known]):
            known.append(_record(store, log_id, source, run, known))
        going = [file for file in old if any(_held(file, each) for each in known)]
        if behind := [file for file in old if file not in going]:
            report.waiting.append(
                f"{behind[0].label}: older than it need be kept, but behind offsets that are in no file,"
                " and nothing says why: see `asleep verify`"
            )
        for file in going:
            store.remove(file.name)
        removed += len(going)
        _forget_shorter(store, known)
    return removed


def _loaded_prefix(
    files: Sequence[LandedRange], oldest_kept: date, is_loaded: IsLoaded, report: RetirementReport
) -> list[LandedRange]:
    """The files from the first on that are old and loaded, up to one that none of the others overlaps."""
    end = max(file.last_offset for file in files)
    prefix: list[LandedRange] = []
    for file in files:
        if file.received_date >= oldest_kept or file.last_offset == end:
            break
        if not is_loaded(file):
            report.waiting.append(
                f"{file.label}: older than it need be kept, but not in the published warehouse"
            )
            break
        prefix.append(file)
    if len(prefix) < len(files):
        kept_from = files[len(prefix)].first_offset
        prefix = [file for file in prefix if file.last_offset < kept_from]
    return prefix


def _runs(files: Sequence[LandedRange], spans: Sequence[Gap | Retired]) -> Iterator[list[LandedRange]]:
    """The files in runs without a hole, up to offsets that are neither in a file nor in one of the spans."""
    run: list[LandedRange] = []
    last = -1
    for file in files:
        if file.first_offset > last + 1:
            if run:
                yield run
            if not _accounted(last + 1, file.first_offset - 1, spans):
                return
            run = []
        run.append(file)
        last = max(last, file.last_offset)
    if run:
        yield run


def _accounted(first: int, last: int, spans: Iterable[Gap | Retired]) -> bool:
    for span in sorted(spans, key=lambda span: span.first_offset):
        if span.first_offset <= first <= span.last_offset:
            first = span.last_offset + 1
    return first > last


def _record(
    store: RawStore, log_id: str, source: Partition, run: Sequence[LandedRange], known: Sequence[Retired]
) -> Retired:
    """Write down that these offsets are retired, in one range with those right before them."""
    first = run[0].first_offset
    last = max(file.last_offset for file in run)
    before = [each for each in known if each.first_offset <= first <= each.last_offset + 1]
    retired = Retired(
        log_id,
        source,
        min([first, *(each.first_offset for each in before)]),
        max([last, *(each.last_offset for each in before)]),
    )
    if retired not in known:
        record_retired(store, retired, max(file.received_date for file in run))
        log_event(_logger, logging.INFO, "retired", range=retired.label, files=len(run))
    return retired


def _held(file: LandedRange, retired: Retired) -> bool:
    return retired.holds(file.first_offset, file.last_offset)


def _forget_shorter(store: RawStore, known: Sequence[Retired]) -> None:
    """Remove the record of a range that a longer one holds."""
    for each in set(known):
        if any(other != each and other.holds(each.first_offset, each.last_offset) for other in known):
            store.remove(each.name)
