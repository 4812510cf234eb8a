"""What is accepted and still on a spool: it is in no log yet, and so can not be landed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ingest.spool.folders import FILE_NAME, spools_in


def accepted_but_not_in_the_log(root: Path) -> list[str]:
    """What waits on the spools below a folder, in words; none of them is disturbed."""
    try:
        return [problem for spool in spools_in(root) for problem in _left_on(spool)]
    except OSError as error:
        return [f"{root}: whether events wait on a spool there can not be told: {error}"]


def _left_on(spool: Path) -> list[str]:
    """What is on a spool, in words; it may have an owner, who is not disturbed, or end meanwhile."""
    file = spool / FILE_NAME
    try:
        # Like any reader of a write-ahead log it stops no writer, and it changes nothing.
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            (records,) = database.execute("SELECT count(*) FROM records").fetchone()
    except sqlite3.Error as error:
        if not file.exists() and not file.with_name(f"{FILE_NAME}-wal").exists():
            return []
        return [f"{file}: whether events wait there can not be told: {error}"]
    if not records:
        return []
    remedy = "once the log is there a running receiver moves them; else start one, or run `asleep drain`"
    return [f"{file}: {records:,} accepted records are not in the log yet: {remedy}"]
