"""What a place for landed files promises, be it a folder or a bucket."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import BinaryIO, Protocol

Write = Callable[[BinaryIO], object]
"""Writes the whole of a new file."""


class StoreUnavailable(OSError):
    """A store far away did not do what it was asked, in its own words: that says nothing of the file."""


class RawStore(Protocol):
    """Files under names such as `asleep.events/log=x/received_date=2026-01-31/a.parquet`.

    A file is there whole, durable and for good under its name, or it is not there. All raise OSError where
    the disk or the network refuses, FileNotFoundError for a name that is not there.
    """

    @property
    def url(self) -> str:
        """What stands, with a slash, before a name to make an address that people and DuckDB understand."""
        ...

    def prepare(self) -> None:
        """Make sure that files can be created here."""
        ...

    def names(self, folder: str) -> list[str]:
        """The names of all files below a folder, at any depth, in no order; none where it is not there."""
        ...

    def open(self, name: str) -> BinaryIO:
        """A file to read from, and to seek in."""
        ...

    def create(self, name: str, write: Write, check: Callable[[], None], *, alone_in: str) -> int:
        """Create a file and return its size in bytes; FileExistsError where the name is taken.

        `check` is called when all is written, before the file gets its name; what it raises is passed on, and
        nothing is created. No other check in the folder `alone_in` runs from then until the file has its
        name, where the store can see to that: see `is_exclusive`.
        """
        ...

    @property
    def is_exclusive(self) -> bool:
        """Whether a check still holds when the file gets its name, whatever others do at that moment."""
        ...

    def settle(self, names: Collection[str]) -> None:
        """Return once it is certain that these files outlive a loss of power, whoever created them."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file for good; one that is not there is no error."""
        ...

    def sweep(self, folder: str) -> list[str]:
        """Remove what dead processes left unfinished below a folder, and say what."""
        ...
