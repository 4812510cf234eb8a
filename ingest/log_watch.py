"""Asks the event log every few seconds where it ends, beside the landing, which never waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from typing import Final

from ingest.event_log.base import EventLogError, EventLogReader, LogUnavailable, Partition, Rebalanced
from ingest.lander_state import LanderState

ASK_SECONDS: Final = 2.0
"""Pause between two questions: how old the ends of the log may be."""
_LOOK_SECONDS: Final = 0.1
_FAREWELL_SECONDS: Final = 2.0


@contextmanager
def watching(
    state: LanderState, connect: Callable[[Rebalanced, Rebalanced], EventLogReader]
) -> Iterator[None]:
    """Tell `state` the ends of its partitions, or why they are not known, in a thread of its own.

    The reader that `connect` gives never polls, so that it takes part in no group. A log that hangs keeps
    nobody from leaving: the thread ends with the process.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(state, connect, stop), name="log watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_FAREWELL_SECONDS)


def _watch(
    state: LanderState, connect: Callable[[Rebalanced, Rebalanced], EventLogReader], stop: threading.Event
) -> None:
    while not stop.wait(_LOOK_SECONDS):
        if not state.sources():
            continue
        state.asked()
        try:
            with closing(connect(_ignore, _ignore)) as reader:
                _ask(state, reader, stop)
        except EventLogError as error:
            state.unheard(str(error))
            stop.wait(ASK_SECONDS)


def _ask(state: LanderState, reader: EventLogReader, stop: threading.Event) -> None:
    """Ask until told to stop, or until landing fails: the address may then stand for another log."""
    failures = state.failures
    while state.failures == failures:
        state.asked()
        sources = state.sources()
        try:
            state.heard(reader.end_offsets(sources))
        except LogUnavailable as error:
            others = [source for source in sources if source not in error.partitions]
            if others in ([], sources):
                raise
            state.heard(reader.end_offsets(others), str(error))
        if stop.wait(ASK_SECONDS):
            return


def _ignore(partitions: Collection[Partition]) -> None:
    """A reader that never polls is assigned nothing."""
