"""Where the processes of a receiver share their numbers: a folder per receiver, held while it lives."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ingest.durable_files import FileOperations, alone_in
from ingest.telemetry import log_event

_log = logging.getLogger(__name__)


@contextmanager
def own_folder(root: Path) -> Iterator[Path]:
    """A new folder in `root`, which nobody else removes; it is removed at the end.

    Those that receivers left when they were killed go with it. Raises OSError where it can not be made.
    """
    FileOperations().make_folder(root)
    folder = root / secrets.token_hex(8)
    with alone_in(root):
        _sweep(root)
        folder.mkdir()
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(held)


def _sweep(root: Path) -> None:
    for folder in root.iterdir():
        with suppress(FileNotFoundError, NotADirectoryError, BlockingIOError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder)
            finally:
                os.close(descriptor)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        # Another start tries again; until then it takes a little room, and nobody reads it.
        log_event(_log, logging.WARNING, "old metrics not removed", folder=str(folder), error=str(error))
