"""Landed files in a folder of this machine, or of one that is mounted here and knows locks."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import BinaryIO, Final

from ingest import durable_files
from ingest.durable_files import TEMPORARY_SUFFIX, FileOperations, temporary_file
from ingest.raw_store.base import Write


class LocalStore:
    """A RawStore below `root`; `files` are the steps by which one gets durable."""

    is_exclusive: Final = True

    def __init__(self, root: Path, files: FileOperations | None = None) -> None:
        self._root = root
        self._files = files or FileOperations()

    @property
    def url(self) -> str:
        """The folder's path."""
        return str(self._root)

    def prepare(self) -> None:
        """Make the folder."""
        self._files.make_folder(self._root)

    def names(self, folder: str) -> list[str]:
        """The names of all files below a folder; those of unfinished ones are left out."""
        found = []
        skipped = len(str(self._root)) + 1
        for path, _, names in os.walk(self._root / folder):
            prefix = f"{path[skipped:]}/" if len(path) > skipped else ""
            found += [prefix + name for name in names if not name.endswith(TEMPORARY_SUFFIX)]
        return found

    def open(self, name: str) -> BinaryIO:
        """Open the file."""
        return (self._root / name).open("rb")

    def create(self, name: str, write: Write, check: Callable[[], None], *, alone_in: str) -> int:
        """Write under a name that no reader looks at, sync, check, and give the file its name."""
        final = self._root / name
        self._files.make_folder(final.parent)
        with temporary_file(final, self._files) as (temporary, file):
            write(file)
            self._files.sync(file)
            size_bytes = file.tell()
            with durable_files.alone_in(self._root / alone_in):
                check()
                self._files.publish(temporary, final)
        self._files.sync_folder(final.parent)
        return size_bytes

    def settle(self, names: Collection[str]) -> None:
        """Sync the folders of these files."""
        for folder in {(self._root / name).parent for name in names}:
            self._files.sync_folder(folder)

    def remove(self, name: str) -> None:
        """Remove the file, and sync its folder."""
        path = self._root / name
        path.unlink(missing_ok=True)
        self._files.sync_folder(path.parent)

    def sweep(self, folder: str) -> list[str]:
        """Remove the temporary files of dead processes; the living keep a lock on theirs."""
        folders = [Path(path) for path, _, _ in os.walk(self._root / folder)]
        return [str(path) for each in folders for path in durable_files.sweep(each)]
