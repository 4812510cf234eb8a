"""Drains the spools of dead processes on demand: from a folder of another machine, or before a move."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ingest.event_log import open_writer
from ingest.event_log.base import EventLogWriter, LogUnavailable
from ingest.event_log.sqlite_file import path_of
from ingest.settings import Settings
from ingest.spool.adoption import adopt, give_back, remove
from ingest.spool.circuit import Circuit
from ingest.spool.draining import Drain, HeldSpool, SpoolThread, Step
from ingest.spool.file import SpoolUnavailable
from ingest.spool.folders import log_address, spools_in

_CONNECT_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 0.05

Progress = Callable[[Path, int, int], None]
"""Called with a spool, how many of its records are drained so far, and how many it held."""


@dataclass(frozen=True, slots=True)
class DrainedSpool:
    """What became of one spool: records drained and left; `problem` says why some are left."""

    path: Path
    drained: int
    left: int
    problem: str | None = None
    is_in_use: bool = False
    """Its owner lives and drains it itself: it was left alone."""

    @property
    def ok(self) -> bool:
        """Whether nothing is left that nobody takes care of."""
        return self.problem is None


def drain(
    settings: Settings, folder: Path, on_progress: Progress, *, into_this_log: bool = False
) -> list[DrainedSpool]:
    """Drain every spool in `folder` whose owner is dead into the event log of the settings, and remove it.

    `folder` may be one spool itself. A spool of another event log is left, unless `into_this_log`. Raises
    LogUnavailable when the log can not be reached, an embedded one also when it is not there, and OSError
    when the folder can not be read.
    """
    of_log = None if into_this_log else log_address(settings)
    return asyncio.run(_drain(settings, folder, on_progress, of_log))


async def _drain(
    settings: Settings, folder: Path, on_progress: Progress, of_log: str | None
) -> list[DrainedSpool]:
    paths = spools_in(folder)
    if not paths:
        return []
    thread = SpoolThread()
    try:
        async with _writer(settings) as log:
            drain = Drain(log, Circuit(), thread)
            hold = partial(adopt, patience_seconds=settings.append_timeout_seconds, log=of_log)
            return [await _drain_spool(path, hold, drain, thread, on_progress) for path in paths]
    finally:
        thread.end()


@asynccontextmanager
async def _writer(settings: Settings) -> AsyncIterator[EventLogWriter]:
    """A writer that has reached its log; one that is not there is not made."""
    if settings.log_url.startswith("sqlite:///") and not path_of(settings.log_url).exists():
        raise LogUnavailable(
            f"there is no event log {path_of(settings.log_url).absolute()}; set ASLEEP_EVENT_LOG_URL, or "
            "ASLEEP_DATA_DIR, to that of the receiver"
        )
    log = open_writer(settings)
    log.start()
    try:
        deadline = asyncio.get_running_loop().time() + _CONNECT_SECONDS
        while (problem := log.problem()) is not None:
            if asyncio.get_running_loop().time() > deadline:
                raise LogUnavailable(problem)
            await asyncio.sleep(_LOOK_SECONDS)
        yield log
    finally:
        await log.close()


async def _drain_spool(
    path: Path, hold: partial[HeldSpool | None], drain: Drain, thread: SpoolThread, on_progress: Progress
) -> DrainedSpool:
    try:
        spool = await thread.run(hold, path)
    except (OSError, SpoolUnavailable) as error:
        return DrainedSpool(path, 0, 0, str(error))
    if spool is None:
        return DrainedSpool(path, 0, 0, is_in_use=await thread.run(path.exists))
    held = spool.holding.records
    on_progress(path, 0, held)
    problem = None
    try:
        while (step := await drain.step(spool)) is Step.MOVED:
            on_progress(path, held - spool.holding.records, held)
        if step in {Step.LOG_AWAY, Step.STUCK}:
            problem = spool.failure
        elif spool.refused:
            problem = spool.refusals()
    except SpoolUnavailable as error:
        problem = str(error)
    left = spool.holding.records
    try:
        await thread.run(remove if problem is None else give_back, spool)
    except (OSError, SpoolUnavailable) as error:
        problem = str(error)
    return DrainedSpool(path, held - left, left, problem)
