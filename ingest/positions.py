"""Where to begin in a partition, and how to go on at a hole: after the files, losing nothing unnoticed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from ingest.event_log.base import EventLogError, EventLogReader, Partition
from ingest.landed_files import offsets_label
from ingest.raw_files import AlreadyLanded, RawFiles
from ingest.telemetry import log_event

_logger: Final = logging.getLogger(__name__)


class LogRecreated(EventLogError):
    """The log ends, or ended, before what was read or landed of it: its offsets mean other records now."""


class Hole(NamedTuple):
    """Offsets that the log does not give, up to `end`: `lost`, or never there."""

    end: int
    lost: bool


class Positions:
    """Positions a reader by the landed files of its log.

    `lost` is called for each gap that is recorded, with how many offsets it has.
    """

    def __init__(self, raw: RawFiles, reader: EventLogReader, lost: Callable[[Partition, int], None]) -> None:
        self._raw = raw
        self._reader = reader
        self._lost = lost
        self._doubted: dict[Partition, int] = {}

    def ends(self, topics: Collection[str]) -> dict[Partition, int]:
        """One past the newest offset that the log holds now, per partition; raises LogRecreated."""
        wanted = {source: self._raw.next_offset(source) for source in self._reader.partitions(topics)}
        end = self._reader.end_offsets(wanted)
        for source, offset in wanted.items():
            self._refuse_log_made_anew(source, offset, end[source])
        return end

    def begin(self, sources: Collection[Partition]) -> dict[Partition, int]:
        """Let assigned partitions be read from the end of their files on: the first offset of each.

        What the log has dropped since is recorded as a gap. Raises LogRecreated.
        """
        wanted = {source: self._raw.resume(source) for source in sources}
        first, end = self._reader.first_offsets(sources), self._reader.end_offsets(sources)
        for source, offset in wanted.items():
            self._refuse_log_made_anew(source, offset, end[source])
            wanted[source] = self.after_gap(source, offset, first[source])
            self._reader.seek(source, wanted[source])
            log_event(
                _logger,
                logging.INFO,
                "reading a partition",
                topic=source.topic,
                partition=source.partition,
                from_offset=wanted[source],
            )
        return wanted

    def judge(self, source: Partition, wanted: int, found: int) -> Hole | None:
        """Judge a hole between the offset wanted and the one found; None where the reader was sent back.

        What is below the log's first offset was lost. Elsewhere the log may have no records, as at markers of
        transactions or after compaction; that is believed once a second read says the same. A reader that
        goes back by itself has found the log to end before it: raises LogRecreated.
        """
        if found < wanted:
            self._refuse_log_made_anew(source, wanted, self._reader.end_offsets([source])[source])
            raise LogRecreated(
                f"{offsets_label(source, found, wanted - 1)}: the log lost its newest records here after they"
                f" were read, and has others now; what is landed stays, and what came in its place may not be"
                f" landed. Let the log acknowledge only what outlives its crashes"
            )
        first = self._reader.first_offsets([source])[source]
        if first > wanted:
            return Hole(min(first, found), lost=True)
        if self._doubted.get(source) != wanted:
            self._doubted[source] = wanted
            self._reader.seek(source, wanted)
            return None
        nothing_at = offsets_label(source, wanted, found - 1)
        log_event(_logger, logging.WARNING, "the log has no records here", range=nothing_at)
        return Hole(found, lost=False)

    def after_gap(self, source: Partition, wanted: int, first: int) -> int:
        """The first offset to read, where one is wanted and the log has none before `first`.

        What of it no lander has landed, not even at this moment, is recorded as lost.
        """
        while wanted < first:
            try:
                self._record_gap(source, wanted, first)
            except AlreadyLanded:
                wanted = self._raw.resume(source)
            else:
                return first
        return wanted

    def _record_gap(self, source: Partition, begin: int, end: int) -> None:
        """Write down, and say aloud, that the offsets from `begin` to before `end` are lost."""
        gap = self._raw.record_gap(source, begin, end - 1)
        self._lost(source, end - begin)
        log_event(
            _logger,
            logging.ERROR,
            "LOST: the log dropped these offsets before they were landed; let it keep records for longer",
            range=gap.label,
            recorded_in=f"{self._raw.store.url}/{gap.name}",
        )

    def _refuse_log_made_anew(self, source: Partition, wanted: int, end: int) -> None:
        if end < wanted:
            raise LogRecreated(
                f"{source.topic}[{source.partition}] ends at offset {end}, but all before {wanted} was landed"
                f" of log {self._raw.log_id}: the log was made anew under the same id, or an old copy was put"
                f" back. Bring the newer log back, or move the folders log={self._raw.log_id} out of"
                f" {self._raw.store.url} to land this log from its beginning"
            )
