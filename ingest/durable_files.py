"""A file appears under its name complete and on the disk, or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

TEMPORARY_PREFIX: Final = "."
TEMPORARY_SUFFIX: Final = ".tmp"

_LONGEST_WAIT_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.005


class FileOperations:
    """The steps by which a file gets durable, which a full or failing disk refuses with OSError."""

    def create(self, path: Path) -> BinaryIO:
        """Open a new file for writing, locked for as long as it is open; FileExistsError if there is one."""
        file = path.open("xb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise
        return file

    def sync(self, file: BinaryIO) -> None:
        """Return once the file's bytes are on the disk."""
        file.flush()
        os.fsync(file.fileno())

    def publish(self, temporary: Path, final: Path) -> None:
        """Give the file its name; FileExistsError, and nothing changed, if that name is taken."""
        os.link(temporary, final)
        temporary.unlink()

    def sync_folder(self, folder: Path) -> None:
        """Return once the names in the folder are on the disk."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_folder(self, folder: Path) -> None:
        """Make the folder and those above it, each one's name on the disk."""
        if folder.is_dir():
            return
        self.make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        self.sync_folder(folder.parent)


@contextmanager
def temporary_file(final: Path, files: FileOperations) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file beside `final` under a name that no reader looks at: its path, and the file to write to.

    It is removed when anything fails; one left behind by a dead process is for `sweep` to remove.
    """
    path = final.with_name(f"{TEMPORARY_PREFIX}{final.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        with files.create(path) as file:
            yield path, file
    except Exception:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process is in here for this folder; one that dies leaves at once.

    Raises TimeoutError, which is an OSError, where another does not leave: it may have been stopped.
    """
    deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{folder} is locked by another process for too long; resume or kill it")
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sweep(folder: Path) -> list[Path]:
    """Remove the temporary files of dead processes in this folder, and say which; living ones hold a lock."""
    swept = []
    for path in folder.glob(f"{TEMPORARY_PREFIX}*{TEMPORARY_SUFFIX}"):
        with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            swept.append(path)
    return swept
