"""Lands the event log in Parquet files, every offset in exactly one: once, or for good, whatever fails."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Final

from ingest.durable_files import FileOperations
from ingest.event_log import open_reader
from ingest.event_log.base import LogUnavailable
from ingest.land_report import LandReport
from ingest.lander_metrics import LanderMetrics
from ingest.lander_pages import serving_pages
from ingest.lander_state import LanderState, Part
from ingest.landing import Connect, Landing
from ingest.log_watch import watching
from ingest.positions import LogRecreated
from ingest.raw_store import open_store
from ingest.records import Topic
from ingest.settings import Settings
from ingest.telemetry import log_event

GROUP: Final = "asleep-lander"
TOPICS: Final = tuple(str(topic) for topic in Topic)

_LONGEST_BACKOFF_SECONDS: Final = 15.0
_LONGEST_SILENCE_SECONDS: Final = 120.0  # a member of the group that died keeps its partitions for a while

_logger = logging.getLogger(__name__)


def land(
    settings: Settings,
    *,
    once: bool = False,
    stop: threading.Event | None = None,
    connect: Connect | None = None,
    files: FileOperations | None = None,
) -> LandReport:
    """Land the event log's topics below `settings.raw_dir` until SIGTERM, SIGINT or `stop`; or `once`.

    Once: land what the log holds now, then return; raises LogUnavailable, LogRecreated or OSError where that
    can not be done. Otherwise these are logged and tried again, and the pages on the lander's host and port
    say how it is; raises WrongSetting where these can not be listened on. What was read is landed before this
    returns, but for what the disk refuses: that is still in the log.
    """
    stop = stop or threading.Event()
    connect = connect or partial(open_reader, settings, TOPICS, GROUP)
    store = open_store(settings, files)
    state = LanderState(stop.is_set)
    metrics = LanderMetrics(state)

    def attempt() -> None:
        store.prepare()
        with closing(Landing(settings, TOPICS, connect, store, metrics)) as landing:
            _land_until(stop, landing, state, metrics.report, once=once)

    with ExitStack() as stack:
        stack.enter_context(_set_on_signals(stop))
        if once:
            attempt()
        else:
            stack.enter_context(serving_pages(settings, state, metrics))
            stack.enter_context(watching(state, connect))
            _try_until_stopped(stop, attempt, state, metrics.report)
    return metrics.report


def _try_until_stopped(
    stop: threading.Event, attempt: Callable[[], None], state: LanderState, report: LandReport
) -> None:
    """Try until an attempt ends in order, after longer and longer pauses while none lands a file."""
    failures = 0
    while not stop.is_set():
        landed_before = report.files
        try:
            attempt()
        except (LogUnavailable, LogRecreated, OSError) as error:
            state.paused(Part.RAW_FILES if isinstance(error, OSError) else Part.EVENT_LOG, str(error))
            failures = 1 if report.files > landed_before else failures + 1
            delay = min(2.0 ** (failures - 1), _LONGEST_BACKOFF_SECONDS)
            log_event(
                _logger, logging.ERROR, "landing failed", error=repr(error), trying_again_in_seconds=delay
            )
            stop.wait(delay)
        else:
            break


def _land_until(
    stop: threading.Event, landing: Landing, state: LanderState, report: LandReport, *, once: bool
) -> None:
    """Land until `stop`, or, once, until all is landed that the log holds now."""
    landing.sweep()
    targets = landing.ends() if once else None
    while not stop.is_set() and not (targets is not None and landing.has_reached(targets)):
        now, landed_before = time.monotonic(), report.files
        try:
            landing.turn()
            if targets is not None:
                landing.land_reached(targets)
        finally:
            state.holds(landing.batches, landing.waiting)
        state.turned(has_landed=report.files > landed_before)
        if once and now - landing.progressed_at > _LONGEST_SILENCE_SECONDS:
            raise LogUnavailable(
                f"no record came for {_LONGEST_SILENCE_SECONDS:.0f} s, though the log has some that are not"
                f" landed: see `asleep verify`"
            )
    landing.land_all()


@contextmanager
def _set_on_signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT set `stop`; only the main thread may listen to signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
