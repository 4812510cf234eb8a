"""Spools of dead processes: found in the folder of all spools, held while they are drained, then removed."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from ingest.settings import Settings
from ingest.spool.draining import RETRY_REFUSED_SECONDS, HeldSpool, SpoolThread
from ingest.spool.file import SpoolFile, SpoolUnavailable
from ingest.spool.folders import SpoolFolder, log_address, spools_in
from ingest.spool.troubles import Troubles
from ingest.telemetry import log_event

_log = logging.getLogger(__name__)

_MOST_HELD: Final = 8
"""Spools held at a time; the others wait, or go to another process."""


class AnotherLog(SpoolUnavailable):
    """The spool holds records of an event log that is not ours."""


class AdoptedSpools:
    """The spools of the dead in `root` that this process has taken over: `held`, oldest first."""

    def __init__(self, settings: Settings, thread: SpoolThread, troubles: Troubles) -> None:
        self.held: list[HeldSpool] = []
        self._root = settings.spool_path
        self._log = log_address(settings)
        self._patience_seconds = settings.append_timeout_seconds
        self._thread = thread
        self._troubles = troubles
        self._not_before: dict[Path, float] = {}

    async def look(self, own: Path | None) -> None:
        """Take over what belongs to nobody; `own` is the folder of this process's spool, if it has one.

        Raises OSError when the folder of all spools can not be read.
        """
        found = await self._thread.run(spools_in, self._root)
        for path in self._not_before.keys() - set(found):
            del self._not_before[path]
            self._troubles.over(path)
        ours = {own, *(spool.folder.path for spool in self.held)}
        now = time.monotonic()
        for path in found:
            if path not in ours and now >= self._not_before.get(path, 0) and len(self.held) < _MOST_HELD:
                await self._adopt(path, own)

    async def let_go(self, spool: HeldSpool) -> None:
        """Remove a spool that is drained, or leave it for later where the log refused some of it."""
        self.held.remove(spool)
        if spool.refused:
            # A few records that stay must not take the room of the many that went.
            with suppress(SpoolUnavailable):
                await self._thread.run(spool.file.shrink)
            await self._thread.run(give_back, spool)
            self._leave(spool.folder.path, spool.refusals())
            return
        try:
            await self._thread.run(remove, spool)
        except (OSError, SpoolUnavailable) as error:
            self._leave(spool.folder.path, error)
        else:
            self._troubles.over(spool.folder.path)

    async def give_up(self, spool: HeldSpool, error: Exception) -> None:
        """Leave a spool that can not be used for later."""
        if spool.in_the_log:
            # Could not be deleted, and must not be appended by anybody again: it stays ours.
            self._troubles.tell(spool.folder.path, error)
            return
        self.held.remove(spool)
        await self._thread.run(give_back, spool)
        self._leave(spool.folder.path, error)

    async def _adopt(self, path: Path, own: Path | None) -> None:
        try:
            spool = await self._thread.run(adopt, path, self._patience_seconds, self._log, own)
        except (OSError, SpoolUnavailable) as error:
            self._leave(path, error)
            return
        self._troubles.over(path)
        if spool is not None:
            self.held.append(spool)
            records = spool.holding.records
            log_event(
                _log, logging.WARNING, "spool of a dead process adopted", spool=str(path), records=records
            )

    def _leave(self, path: Path, problem: object) -> None:
        self._not_before[path] = time.monotonic() + RETRY_REFUSED_SECONDS
        self._troubles.tell(path, problem)


def adopt(
    path: Path, patience_seconds: float, log: str | None, spare: Path | None = None
) -> HeldSpool | None:
    """Hold a spool whose owner is dead; None where the owner lives or there was nothing in the folder.

    It must belong to the event log `log`, if that is given, or hold nothing. What the log refused before is
    to be tried again. `spare` is a folder whose reserve may be given up too. Raises OSError or
    SpoolUnavailable, also as AnotherLog: left as it was.
    """
    folder = SpoolFolder.adopt(path)
    if folder is None:
        return None
    try:
        if folder.was_never_used():
            folder.remove()
            return None
        file = SpoolFile(folder.file, patience_seconds, spare)
        of_log = folder.log()
        if log is not None and of_log not in {log, None}:
            _assert_nothing_of(of_log, log, file)
        # From here on the spool only gets emptier: its room is better used by others.
        file.reserve.unlink(missing_ok=True)
        file.restore()
        return HeldSpool(folder, file, file.holding())
    except (OSError, SpoolUnavailable):
        folder.release()
        raise


def _assert_nothing_of(of_log: str | None, ours: str, file: SpoolFile) -> None:
    try:
        is_empty = file.left()[0] is None
    finally:
        file.close()
    if not is_empty:
        raise AnotherLog(
            f"the spool {file.path} holds events of another event log, {of_log}; ours is {ours}: start a "
            f"receiver with ASLEEP_EVENT_LOG_URL={of_log}, or, if ours is to have them, drain it by hand: "
            f"asleep drain --into-this-log {file.path.parent}"
        )


def remove(spool: HeldSpool) -> None:
    """Remove an empty spool; raises OSError or SpoolUnavailable, the spool then being held no more.

    Where its file was replaced only the lock is let go of: what is there now is not what was emptied.
    """
    try:
        spool.file.assert_empty()
        is_ours = spool.file.is_in_place()
        spool.file.close()
        if not is_ours:
            spool.folder.release()
            return
        spool.folder.remove()
    except (OSError, SpoolUnavailable):
        give_back(spool)
        raise


def give_back(spool: HeldSpool) -> None:
    """Leave a spool to the next process that looks for spools of the dead."""
    spool.file.close()
    spool.folder.release()
