"""Writing the embedded log: one SQLite file, one partition per topic, group commit by one thread."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ingest.event_log.appends import Append, Appends, Outcome
from ingest.event_log.base import AppendFailed, AppendTimeout, LogUnavailable, Position
from ingest.event_log.sqlite_file import SPAN, encode_headers, identity, is_busy, open_file, path_of
from ingest.records import Headers, Topic
from ingest.settings import Settings

_log = logging.getLogger(__name__)

_IDLE_SECONDS: Final = 1.0
"""How often an idle writer looks whether a problem is gone."""

_Waiting = tuple[Append, str, bytes | None, bytes, bytes]
"""An append in the queue: its future, topic, key, encoded headers, value."""


class SqliteWriter:
    """Appends to the embedded log; any number of processes may write to one file.

    Whatever waits in the queue when a commit is done goes into the next one: one fsync for many records.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = path_of(settings.log_url)
        self._patience_seconds = settings.append_timeout_seconds
        self._problem: str | None = f"{self._path} is not open yet"
        self._appends = Appends(settings.append_timeout_seconds, self._timed_out)
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="event-log-writer", daemon=True)
        self._database: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def start(self) -> None:
        """Open the file in the background; make it, its folder and its topics where they are absent."""
        self._appends.start()
        self._thread.start()

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> asyncio.Future[Position]:
        """Append one record; see EventLogWriter."""
        future = self._appends.new()
        self._queue.put((future, topic, key, encode_headers(headers), value))
        return future

    def problem(self) -> str | None:
        """Why appends would fail now, in words, or None while the log is well."""
        return self._problem

    async def close(self) -> None:
        """Wait for the appends in flight, then end the thread and close the file."""
        await self._appends.close()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _timed_out(self, problem: str) -> None:
        # Whatever went wrong before says more than that the time was up.
        if self._problem is None:
            self._problem = f"{self._path}: {problem}"

    def _run(self) -> None:
        try:
            self._store([])
            closing = False
            while not closing:
                batch, closing = self._next_batch()
                if batch or (self._problem is not None and not closing):
                    self._store(batch)
        finally:
            self._let_go()
            self._problem = f"{self._path}: the writer has ended"

    def _next_batch(self) -> tuple[list[_Waiting], bool]:
        """All appends that wait, none after an idle moment, and whether the writer was told to end."""
        batch = []
        try:
            waiting = self._queue.get(timeout=_IDLE_SECONDS)
            while waiting is not None:
                batch.append(waiting)
                waiting = self._queue.get_nowait()
        except queue.Empty:
            return batch, False
        return batch, True

    def _store(self, batch: Sequence[_Waiting]) -> None:
        """Commit a batch and settle its futures; without a batch, prove that the file takes a write."""
        outcomes: list[tuple[Append, Outcome]]
        try:
            outcomes = self._commit(self._open(), batch)
        except LogUnavailable as error:
            # Not closed: that deletes the write-ahead log by its name, of a replaced file the new one's.
            outcomes = self._fail(batch, error)
        except (sqlite3.Error, OSError) as error:
            self._let_go()
            outcomes = self._fail(batch, error)
        except Exception as error:  # noqa: BLE001  a thread that ends would take no record ever again
            _log.critical("a fault of ours in writing the embedded log", exc_info=True)
            self._let_go()
            outcomes = self._fail(batch, RuntimeError(f"{type(error).__name__}: {error}"))
        else:
            self._problem = None
        self._appends.settle(outcomes)

    def _fail(self, batch: Sequence[_Waiting], error: Exception) -> list[tuple[Append, Outcome]]:
        if self._problem is None:
            _log.warning("the embedded log takes no records: %s", error)
        self._problem = f"{self._path}: {error}"
        return [(append[0], _failure(error, self._path)) for append in batch]

    def _open(self) -> sqlite3.Connection:
        if self._identity is not None and identity(self._path) != self._identity:
            raise LogUnavailable(
                "the file was removed or replaced while in use; restart whatever writes to it"
            )
        if self._database is None:
            self._database = open_file(self._path, self._patience_seconds)
            self._identity = identity(self._path)
            for topic in Topic:
                _counter(self._database, topic)
        return self._database

    def _commit(
        self, database: sqlite3.Connection, batch: Sequence[_Waiting]
    ) -> list[tuple[Append, Outcome]]:
        database.execute("BEGIN IMMEDIATE")
        now_ms = time.time_ns() // 1_000_000
        outcomes: list[tuple[Append, Outcome]] = []
        rows = []
        counters: dict[str, tuple[int, int]] = {}
        for future, topic, key, headers, value in batch:
            # Whoever gave up while this batch waited for the lock sends the record again.
            if future.done():
                continue
            topic_id, offset = counters.get(topic) or _counter(database, topic)
            counters[topic] = topic_id, offset + 1
            rows.append((topic_id * SPAN + offset, now_ms, key, headers, value))
            outcomes.append((future, Position(topic, 0, offset)))
        if rows:
            database.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", rows)
            ends = [(end, topic_id) for topic_id, end in counters.values()]
            database.executemany("UPDATE topics SET next_offset = ? WHERE id = ?", ends)
        else:
            database.execute("UPDATE log SET probes = probes + 1")
        database.execute("COMMIT")
        return outcomes

    def _let_go(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _counter(database: sqlite3.Connection, topic: str) -> tuple[int, int]:
    """Id and next offset of a topic, which is made if it is absent."""
    database.execute("INSERT INTO topics (name) VALUES (?) ON CONFLICT DO NOTHING", (topic,))
    found: tuple[int, int] = database.execute(
        "SELECT id, next_offset FROM topics WHERE name = ?", (topic,)
    ).fetchone()
    return found


def _failure(error: Exception, path: Path) -> AppendFailed:
    if is_busy(error):
        return AppendTimeout(f"{path} is locked by another process")
    return AppendFailed(f"{path}: {error}")
