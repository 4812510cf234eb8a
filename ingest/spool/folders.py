"""The folders of the spools: one per process, locked for as long as its owner lives."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from typing import Final

import uuid_utils

from ingest.durable_files import FileOperations

FILE_NAME: Final = "spool.db"
RESERVE_NAME: Final = "reserve"
"""A file that only keeps room on the disk."""

_NAME: Final = re.compile(r"[0-9a-f]{32}")
_TRIES: Final = 10


class SpoolFolder:
    """A spool's folder that this process holds; its end, however it comes, lets others adopt it.

    The lock is on the folder: closing any other descriptor of the file in it would drop SQLite's own locks.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.file = path / FILE_NAME
        self._descriptor = descriptor

    @classmethod
    def make(cls, root: Path) -> SpoolFolder:
        """Make a new folder in `root`, and hold it; raises OSError."""
        files = FileOperations()
        files.make_folder(root)
        for _ in range(_TRIES):
            path = root / uuid_utils.uuid7().hex
            path.mkdir()
            files.sync_folder(root)
            # Somebody who looks for spools of the dead may have held, or removed, it before we did.
            folder = cls.adopt(path)
            if folder is not None:
                return folder
        raise OSError(f"every new folder in {root} was taken by another process")

    @classmethod
    def adopt(cls, path: Path) -> SpoolFolder | None:
        """Hold this folder; None where its owner lives, or it is gone. Raises OSError."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return cls(path, descriptor)
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def was_never_used(self) -> bool:
        """Whether its owner died before there was a spool in it; a log beside no file is a loss of data."""
        return not self.file.exists() and not self._part("wal").exists()

    def remove(self) -> None:
        """Remove the folder, whose spool is closed and empty, and let go of it; raises OSError.

        The file goes last: without its write-ahead log it holds what was drained, never less.
        """
        beside = sorted(self.path.glob(f"{FILE_NAME}.*.new*"))
        reserve = sorted(self.path.glob(f"{RESERVE_NAME}*"))
        for path in (*beside, *reserve, self._part("wal"), self._part("shm"), self.file):
            path.unlink(missing_ok=True)
        self.path.rmdir()
        self.release()

    def release(self) -> None:
        """Let others adopt the folder."""
        os.close(self._descriptor)

    def _part(self, name: str) -> Path:
        return self.path / f"{FILE_NAME}-{name}"


def spools_in(root: Path) -> list[Path]:
    """The folders of spools in `root`, oldest first, or `root` alone where it is one; raises OSError."""
    if (root / FILE_NAME).exists():
        return [root]
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if _NAME.fullmatch(path.name))
