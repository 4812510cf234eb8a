"""Spools of dead processes: found in the folder of all spools, held while they are drained, then removed."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

from ingest.spool.draining import RETRY_REFUSED_SECONDS, HeldSpool, SpoolThread
from ingest.spool.file import SpoolFile, SpoolUnavailable
from ingest.spool.folders import SpoolFolder, spools_in
from ingest.spool.troubles import Troubles
from ingest.telemetry import log_event

_log = logging.getLogger(__name__)

_MOST_HELD: Final = 8
"""Spools held at a time; the others wait, or go to another process."""


class AdoptedSpools:
    """The spools of the dead in `root` that this process has taken over: `held`, oldest first."""

    def __init__(self, root: Path, patience_seconds: float, thread: SpoolThread, troubles: Troubles) -> None:
        self.held: list[HeldSpool] = []
        self._root = root
        self._patience_seconds = patience_seconds
        self._thread = thread
        self._troubles = troubles
        self._not_before: dict[Path, float] = {}

    async def look(self, own: Path | None) -> None:
        """Take over what belongs to nobody, except `own`. Raises OSError when the folder can not be read."""
        found = await self._thread.run(spools_in, self._root)
        for path in self._not_before.keys() - set(found):
            del self._not_before[path]
            self._troubles.over(path)
        ours = {own, *(spool.folder.path for spool in self.held)}
        now = time.monotonic()
        for path in found:
            if path not in ours and now >= self._not_before.get(path, 0) and len(self.held) < _MOST_HELD:
                await self._adopt(path)

    async def let_go(self, spool: HeldSpool) -> None:
        """Remove a spool that is drained, or leave it for later where the log refused some of it."""
        self.held.remove(spool)
        if spool.refused:
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

    async def _adopt(self, path: Path) -> None:
        try:
            spool = await self._thread.run(adopt, path, self._patience_seconds)
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


def adopt(path: Path, patience_seconds: float) -> HeldSpool | None:
    """Hold a spool whose owner is dead; None where the owner lives or there was nothing in the folder.

    What the log refused before is to be tried again. Raises OSError or SpoolUnavailable: left as it was.
    """
    folder = SpoolFolder.adopt(path)
    if folder is None:
        return None
    try:
        if folder.was_never_used():
            folder.remove()
            return None
        file = SpoolFile(folder.file, patience_seconds)
        file.restore()
        return HeldSpool(folder, file, file.holding())
    except (OSError, SpoolUnavailable):
        folder.release()
        raise


def remove(spool: HeldSpool) -> None:
    """Remove an empty spool; raises OSError or SpoolUnavailable, the spool then being held no more."""
    try:
        spool.file.assert_empty()
        spool.file.close()
        spool.folder.remove()
    except (OSError, SpoolUnavailable):
        give_back(spool)
        raise


def give_back(spool: HeldSpool) -> None:
    """Leave a spool to the next process that looks for spools of the dead."""
    spool.file.close()
    spool.folder.release()
