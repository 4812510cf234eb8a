"""Users files, good and unusable, and what knows the users of one."""

from __future__ import annotations

from pathlib import Path

from ingest.known_users import KnownUsers
from ingest.settings import Settings

UNUSABLE = {
    "no column": (b"eve-s-secret-id,female\nada,female\n", "has no column user_id"),
    "empty": (b"", "has no column user_id"),
    "no user": (b"user_id,gender\n,female\n\n", "names no user"),
    "not utf-8": ("user_id\nzoë\n".encode("latin-1"), "is not UTF-8"),
    "an open quote": (b'user_id\n"eve-s-secret-id\n', "is no CSV in line 2"),
}
"""Contents of which no users can be taken, and what is said of each."""


def written(path: Path) -> Path:
    """A file of the users ada and grace."""
    path.write_text("user_id,gender\nada,female\ngrace,female\n")
    return path


def known(path: Path) -> KnownUsers:
    """The users of the file, where only they may call."""
    return KnownUsers(Settings(known_users_only=True, users_file=path))
