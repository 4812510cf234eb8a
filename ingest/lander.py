"""Lands the event log in Parquet files, every offset in exactly one: once, or for good, whatever fails."""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from ingest.durable_files import FileOperations
from ingest.event_log import open_reader
from ingest.event_log.base import LogUnavailable
from ingest.land_report import LandReport
from ingest.landing import Connect, Landing
from ingest.raw_store import open_store
from ingest.records import Topic
from ingest.settings import Settings
from ingest.telemetry import log_event

GROUP: Final = "asleep-lander"
TOPICS: Final = tuple(str(topic) for topic in Topic)

_BEAT_SECONDS: Final = 2.0
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

    Once: land what the log holds now, then return; raises LogUnavailable or OSError where that can not be
    done. Otherwise both are logged and tried again. Either way raises LogRecreated, after which only
    somebody who knows what happened to the log can go on. What was read is landed before this returns, but
    for what the disk refuses: that is still in the log.
    """
    stop = stop or threading.Event()
    connect = connect or partial(open_reader, settings, TOPICS, GROUP)
    store = open_store(settings, files)
    report = LandReport()
    failures = 0
    with _set_on_signals(stop):
        while not stop.is_set():
            landed_before = report.files
            try:
                store.prepare()
                if not failures:
                    _heartbeat(settings).touch()
                with closing(Landing(settings, TOPICS, connect, store, report)) as landing:
                    _land_until(stop, landing, _heartbeat(settings), once=once)
            except (LogUnavailable, OSError) as error:
                if once:
                    raise
                failures = 1 if report.files > landed_before else failures + 1
                delay = min(2.0 ** (failures - 1), _LONGEST_BACKOFF_SECONDS)
                log_event(
                    _logger, logging.ERROR, "landing failed", error=repr(error), trying_again_in_seconds=delay
                )
                stop.wait(delay)
            else:
                break
    return report


def lander_is_alive(settings: Settings, max_age_seconds: float) -> bool:
    """Whether a lander has given a sign of life at most so many seconds ago.

    It gives one every few seconds while it can read the log and write files.
    """
    try:
        beat = _heartbeat(settings).stat().st_mtime
    except FileNotFoundError:
        return False
    return time.time() - beat <= max_age_seconds


def _land_until(stop: threading.Event, landing: Landing, heartbeat: Path, *, once: bool) -> None:
    """Land until `stop`, or, once, until all is landed that the log holds now."""
    landing.sweep()
    beaten_at = -math.inf
    targets = landing.ends() if once else None
    while not stop.is_set() and not (targets is not None and landing.has_reached(targets)):
        now = time.monotonic()
        landing.turn()
        if now - beaten_at >= _BEAT_SECONDS:
            heartbeat.touch()
            beaten_at = now
        if once and now - landing.progressed_at > _LONGEST_SILENCE_SECONDS:
            raise LogUnavailable(
                f"no record came for {_LONGEST_SILENCE_SECONDS:.0f} s, though the log has some that are not"
                f" landed: see `asleep verify`"
            )
    landing.land_all()


def _heartbeat(settings: Settings) -> Path:
    return settings.raw_dir / ".lander"


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
