"""Partitions that are assigned but not read yet: new ones, and those for which the log does not answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from typing import Final

from ingest.event_log.base import LogUnavailable, Partition
from ingest.positions import Positions
from ingest.telemetry import log_event

_FIRST_DELAY_SECONDS: Final = 1.0
_LONGEST_DELAY_SECONDS: Final = 15.0

_logger: Final = logging.getLogger(__name__)


class Beginnings:
    """Begins each assigned partition as soon as the log says where; one without a leader keeps none waiting.

    Those that wait are asked for together, after longer and longer delays: while asking, nothing is landed.
    """

    def __init__(self, positions: Positions) -> None:
        self._positions = positions
        self._new: set[Partition] = set()
        self._waiting: dict[Partition, str] = {}
        self._delay_seconds = 0.0
        self._again_at = 0.0

    @property
    def waiting(self) -> Mapping[Partition, str]:
        """Why the log could not say where to begin, by partition."""
        return self._waiting

    def add(self, sources: Collection[Partition]) -> None:
        """Begin these the next time."""
        self._new.update(sources)

    def forget(self, source: Partition) -> None:
        """Do not begin this one: it is not ours any more."""
        self._new.discard(source)
        self._waiting.pop(source, None)

    def begin(self) -> dict[Partition, int]:
        """Begin what can be begun now: the first offset of each. Raises LogRecreated, OSError."""
        again = self._waiting.keys() if time.monotonic() >= self._again_at else set()
        sources, self._new = self._new | again, set()
        failures: dict[Partition, str] = {}
        begun = self._begin(sources, failures) if sources else {}
        if failures:
            self._put_off(failures)
        for source in begun:
            self._waiting.pop(source, None)
        return begun

    def _begin(self, sources: Collection[Partition], failures: dict[Partition, str]) -> dict[Partition, int]:
        """Begin these, but for the ones that are added to `failures`, with the reason."""
        try:
            return self._positions.begin(sources)
        except LogUnavailable as error:
            failed = set(sources) if len(sources) == 1 else error.partitions.intersection(sources)
            failures |= dict.fromkeys(failed, str(error))
        begun: dict[Partition, int] = {}
        # Where the log does not say for which it can not answer, each is asked for alone.
        rest = [{*sources} - failed] if failed else [{source} for source in sources]
        for part in filter(None, rest):
            begun |= self._begin(part, failures)
        return begun

    def _put_off(self, failures: Mapping[Partition, str]) -> None:
        has_waited = not self._waiting.keys().isdisjoint(failures)
        self._delay_seconds = (
            min(self._delay_seconds * 2, _LONGEST_DELAY_SECONDS) if has_waited else _FIRST_DELAY_SECONDS
        )
        self._again_at = time.monotonic() + self._delay_seconds
        new = failures.keys() - self._waiting.keys()
        self._waiting |= failures
        for source in sorted(new):
            log_event(
                _logger,
                logging.WARNING,
                "a partition waits: the log does not say where to begin",
                topic=source.topic,
                partition=source.partition,
                error=failures[source],
                trying_again_in_seconds=self._delay_seconds,
            )
