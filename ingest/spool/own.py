"""The spool that a process makes for itself: made, kept small, watched, and left at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ingest.spool.adoption import give_back, remove
from ingest.spool.draining import HeldSpool
from ingest.spool.file import SpoolFile, SpoolUnavailable
from ingest.spool.folders import SpoolFolder
from ingest.spool.holding import Holding
from ingest.telemetry import log_event

_log = logging.getLogger(__name__)

_SHRINK_BYTES: Final = 64 * 1024 * 1024
"""Size from which the file of an emptied spool gives its space back to the disk."""


def make(root: Path, log: str, patience_seconds: float, look_at: Callable[[Path], None]) -> HeldSpool:
    """A new spool in `root` for records of the event log `log`, once `look_at` has seen the root.

    Raises OSError or SpoolUnavailable, the spool then being gone.
    """
    folder = SpoolFolder.make(root, log)
    try:
        file = SpoolFile(folder.file, patience_seconds)
        file.make()
        look_at(root)
    except (OSError, SpoolUnavailable):
        folder.abandon()
        raise
    return HeldSpool(folder, file, Holding())


def tidy(spool: HeldSpool, min_free_bytes: int) -> str | None:
    """Keep an emptied spool small, and its reserve full; returns why there is no reserve, in words.

    Raises OSError or SpoolUnavailable.
    """
    if not spool.refused and spool.file.path.stat().st_size > _SHRINK_BYTES:
        spool.file.shrink()
    return spool.file.fill_reserve(min_free_bytes)


def is_gone(spool: HeldSpool) -> bool:
    """Whether the spool was removed or replaced; where the disk does not say, it is there."""
    try:
        return not spool.file.is_in_place()
    except OSError as error:
        _log.warning("whether the spool %s is in place can not be seen: %s", spool.file.path, error)
        return False


def close(spool: HeldSpool) -> None:
    """Remove the spool where it is empty, else leave it to the next process.

    Raises OSError or SpoolUnavailable, the spool then being held no more.
    """
    try:
        is_empty = spool.file.left()[0] is None
    except SpoolUnavailable:
        give_back(spool)
        raise
    if is_empty:
        remove(spool)
        return
    give_back(spool)
    records = spool.holding.records
    log_event(
        _log, logging.WARNING, "records left on the spool", spool=str(spool.folder.path), records=records
    )
