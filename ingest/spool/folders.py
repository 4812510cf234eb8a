"""The folders of the spools: one per process, locked for as long as its owner lives."""

from __future__ import annotations

import fcntl
import os
import re
import time
from pathlib import Path
from typing import Final

import uuid_utils

from ingest.durable_files import FileOperations
from ingest.event_log.sqlite_file import path_of
from ingest.settings import Settings

FILE_NAME: Final = "spool.db"
RESERVE_NAME: Final = "reserve"
"""A file that only keeps room on the disk."""
LOG_NAME: Final = "log"
"""A file with the address of the event log that the records of the spool belong to."""

_NAME: Final = re.compile(r"[0-9a-f]{32}")
_TRIES: Final = 10
EMPTY_BYTES: Final = 64 * 1024
"""What a spool has on the disk with nothing on it, and a little more."""
_LOCK_TRIES: Final = 3
_LOCK_PAUSE_SECONDS: Final = 0.002


class SpoolFolder:
    """A spool's folder that this process holds; its end, however it comes, lets others adopt it.

    The lock is on the folder: closing any other descriptor of the file in it would drop SQLite's own locks.
    It is exclusive while the owner lives, and shared once the folder is adopted: so a shared lock that can be
    had tells the spools of the dead from those of the living.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.file = path / FILE_NAME
        self._descriptor: int | None = descriptor

    @classmethod
    def make(cls, root: Path, log: str) -> SpoolFolder:
        """Make a new folder in `root` for records of the event log `log`, and hold it; raises OSError."""
        files = FileOperations()
        files.make_folder(root)
        for _ in range(_TRIES):
            path = root / uuid_utils.uuid7().hex
            path.mkdir()
            files.sync_folder(root)
            # Somebody who looks for spools of the dead may have held, or removed, it before we did.
            descriptor = _open_locked(path)
            if descriptor is not None:
                folder = cls(path, descriptor)
                try:
                    _write_durably(path / LOG_NAME, log)
                except OSError:
                    folder.abandon()
                    raise
                return folder
        raise OSError(f"every new folder in {root} was taken by another process")

    @classmethod
    def adopt(cls, path: Path) -> SpoolFolder | None:
        """Hold a folder of the dead; None where somebody holds it, or it is gone. Raises OSError."""
        for _ in range(_LOCK_TRIES):
            descriptor = _open_locked(path)
            if descriptor is not None:
                # Another may get in between the two locks: then this one is not had, or the folder is gone,
                # or at worst both drain the same records.
                return cls(path, descriptor) if _is_locked(descriptor, path, fcntl.LOCK_SH) else None
            # Whoever only looks whether its owner lives is gone in no time.
            time.sleep(_LOCK_PAUSE_SECONDS)
        return None

    def log(self) -> str | None:
        """The event log that the records belong to, None in a spool that does not say; raises OSError."""
        try:
            return os.fsdecode((self.path / LOG_NAME).read_bytes())
        except FileNotFoundError:
            return None

    def was_never_used(self) -> bool:
        """Whether its owner died before there was a spool in it; a log beside no file is a loss of data."""
        return not self.file.exists() and not self._part("wal").exists()

    def remove(self) -> None:
        """Remove the folder, whose spool is closed and empty, and let go of it; raises OSError.

        The write-ahead log goes before the file: without it the file holds what was drained, never less.
        """
        beside = sorted(self.path.glob(f"{FILE_NAME}.*.new*"))
        reserve = sorted(self.path.glob(f"{RESERVE_NAME}*"))
        named = [self.path / f"{LOG_NAME}.new", self.path / LOG_NAME]
        for path in (*beside, *reserve, self._part("wal"), self._part("shm"), self.file, *named):
            path.unlink(missing_ok=True)
        self.path.rmdir()
        self.release()

    def abandon(self) -> None:
        """Let go of a new folder, and remove it if the disk lets us; raises OSError."""
        try:
            self.remove()
        finally:
            self.release()

    def release(self) -> None:
        """Let others adopt the folder."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _part(self, name: str) -> Path:
        return self.path / f"{FILE_NAME}-{name}"


def _open_locked(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    return descriptor if _is_locked(descriptor, path, fcntl.LOCK_EX) else None


def _is_locked(descriptor: int, path: Path, how: int) -> bool:
    """Whether the lock is had, and the folder still there; if not, the descriptor is closed."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return True
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return False


def _write_durably(path: Path, text: str) -> None:
    files = FileOperations()
    draft = path.with_name(f"{path.name}.new")
    with draft.open("wb") as file:
        file.write(os.fsencode(text))
        files.sync(file)
    draft.replace(path)
    files.sync_folder(path.parent)


def log_address(settings: Settings) -> str:
    """What names the settings' event log to other processes: its URL, a file by its absolute path."""
    if settings.log_url.startswith("sqlite:///"):
        return f"sqlite:///{os.path.realpath(path_of(settings.log_url))}"
    return settings.log_url


def count_spools(root: Path) -> tuple[int, int]:
    """How many spools in `root` have an owner that lives, and the bytes of the others' files.

    Raises OSError when the folder can not be read.
    """
    living = of_the_dead = 0
    for path in spools_in(root):
        try:
            if _owner_lives(path):
                living += 1
            else:
                files = (path / FILE_NAME, path / f"{FILE_NAME}-wal")
                size = sum(file.stat().st_size for file in files if file.exists())
                of_the_dead += max(0, size - EMPTY_BYTES)
        except OSError:
            continue  # removed meanwhile, or it is told when it is to be adopted
    return living, of_the_dead


def _owner_lives(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def spools_in(root: Path) -> list[Path]:
    """The folders of spools in `root`, oldest first, or `root` alone where it is one; raises OSError."""
    if (root / FILE_NAME).exists():
        return [root]
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if _NAME.fullmatch(path.name))
