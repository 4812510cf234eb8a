"""The file of the embedded log: where it is, how it is made and opened, and how it keeps headers."""

from __future__ import annotations

import sqlite3
import struct
import uuid
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from ingest.durable_files import FileOperations
from ingest.event_log.base import LogUnavailable
from ingest.records import Headers

SPAN: Final = 1 << 40
"""Row ids that belong to one topic: a record's row id is topic id x SPAN + offset."""

_APPLICATION_ID: Final = 0x41534C50
_VERSION: Final = 1

# Records are keyed by row id: appending writes the end of one B-tree, and no index is kept.
_SCHEMA: Final = (
    """CREATE TABLE log (
        one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, probes INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE topics (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, next_offset INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    """CREATE TABLE records (
        position INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, key BLOB,
        headers BLOB NOT NULL, value BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE commits (
        group_name TEXT NOT NULL, topic TEXT NOT NULL, next_offset INTEGER NOT NULL,
        PRIMARY KEY (group_name, topic)
    ) STRICT, WITHOUT ROWID""",
)


def path_of(url: str) -> Path:
    """The file behind `sqlite:///relative/path` or `sqlite:////absolute/path`, taken as it is written."""
    return Path(url.removeprefix("sqlite:///"))


def identity(path: Path) -> tuple[int, int] | None:
    """What the path names on disk now, or None when it names nothing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def open_file(path: Path, patience_seconds: float) -> sqlite3.Connection:
    """Open the log, and make it with its folder where there is none.

    Statements wait `patience_seconds` for locks of other connections. Raises sqlite3.Error or OSError when
    the file can not be opened, LogUnavailable when it is not an event log of this version.
    """
    if not path.exists():
        _make(path)
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=patience_seconds)
    try:
        database.isolation_level = None
        _check(database, path)
        database.execute("PRAGMA synchronous = FULL")
    except BaseException:
        database.close()
        raise
    return database


def _make(path: Path) -> None:
    """Make the log under another name and link it to its own: others see all of it or nothing."""
    files = FileOperations()
    files.make_folder(path.parent)
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.new")
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            for statement in _SCHEMA:
                database.execute(statement)
            database.execute("INSERT INTO log VALUES (1, ?, 0)", (uuid.uuid4().hex,))
            database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {_VERSION}")
        with suppress(FileExistsError):  # somebody else was first
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    files.sync_folder(path.parent)


def _check(database: sqlite3.Connection, path: Path) -> None:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if (application, version) != (_APPLICATION_ID, _VERSION):
        raise LogUnavailable(
            f"{path} is not an event log of version {_VERSION}; set ASLEEP_EVENT_LOG_URL to another file"
        )


def is_busy(error: Exception) -> bool:
    """Whether a lock of another connection is the reason of the error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def encode_headers(headers: Headers) -> bytes:
    """All names and values, with nothing lost: count, lengths of names, lengths of values, names, values."""
    names = [name.encode() for name, _ in headers]
    values = [value for _, value in headers]
    count = len(headers)
    lengths = struct.pack(f"<I{2 * count}I", count, *map(len, names), *map(len, values))
    return b"".join((lengths, *names, *values))


def decode_headers(encoded: bytes) -> Headers:
    """What `encode_headers` was given."""
    (count,) = struct.unpack_from("<I", encoded)
    lengths = struct.unpack_from(f"<{2 * count}I", encoded, 4)
    at = 4 + 8 * count
    parts = []
    for length in lengths:
        parts.append(encoded[at : at + length])
        at += length
    return [(name.decode(), value) for name, value in zip(parts[:count], parts[count:], strict=True)]
