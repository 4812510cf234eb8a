"""Tells whether a call is about one of the users of the users file."""

from __future__ import annotations

import asyncio
import csv
import logging
import os
import time
from pathlib import Path
from typing import Final

from ingest.records import Reason
from ingest.settings import Settings, WrongSetting
from ingest.telemetry import log_event

LOOK_SECONDS: Final = 1.0
"""From one look at the users file to the next; a change is taken in at the second look that sees it."""

_LINES_AT_A_TIME: Final = 1000
_COLUMN: Final = "user_id"

_log = logging.getLogger(__name__)

# A dict and no set: garbage collection need not walk one that holds bytes and None, and it is smaller.
_Users = dict[bytes, None]
_State = tuple[int, ...]


class UsersFileUnusable(WrongSetting):
    """No users can be taken from the users file; the message says why, and holds nothing of the file."""


class KnownUsers:
    """The users of the users file, where only they may call; otherwise everybody may.

    Reads the whole file at once, so that a receiver never runs without knowing whom to let in: raises
    UsersFileUnusable for a file that is absent, unreadable, without the column user_id or without a user.
    A later file like that is not taken: the users known before stay, and `problem` says why.
    """

    def __init__(self, settings: Settings) -> None:
        self._users: _Users | None = None
        self._problem: str | None = None
        self._watch: asyncio.Task[None] | None = None
        if not settings.known_users_only:
            return
        path = settings.users_path
        if path is None:
            raise UsersFileUnusable(
                "ASLEEP_KNOWN_USERS_ONLY is on, and there is no users file: name one in ASLEEP_USERS_FILE, "
                f"or put users.csv in {settings.data_dir}"
            )
        self._path = path
        self._read: _State | None = _state(path)
        self._seen: _State | None = None
        self._users = _users_of(path)

    def refusal(self, user_id: bytes | None) -> Reason | None:
        """Why a call with this x-user-id value is refused, or None when it may go on."""
        if self._users is None:
            return None
        # Spaces around a header's value are not part of it, and not every HTTP parser takes them off.
        user = b"" if user_id is None else user_id.strip(b" \t")
        if not user:
            return Reason.MISSING_USER_ID
        return None if user in self._users else Reason.UNKNOWN_USER

    def problem(self) -> str | None:
        """Why the users known are not those of the file as it is now, and what to do; None when they are."""
        if self._watch is not None and self._watch.done():
            return "ASLEEP_USERS_FILE is not looked at any more: restart the receiver"
        return self._problem

    def start(self) -> None:
        """Look for changes of the users file from now on; needs a running event loop."""
        if self._users is not None:
            self._watch = asyncio.get_running_loop().create_task(self._look_for_ever())

    async def close(self) -> None:
        """Look no more."""
        watch, self._watch = self._watch, None
        if watch is None:
            return
        watch.cancel()
        await asyncio.wait({watch})
        if not watch.cancelled():
            watch.result()

    async def look(self) -> None:
        """Take the file in if it is another than the one read last, and the same as at the last look.

        A file that is still being written is thus not taken for a whole one, which would refuse the users
        of its missing lines.
        """
        if self._users is None:
            return
        try:
            state = await asyncio.to_thread(_state, self._path)
        except UsersFileUnusable as error:
            self._read, self._seen = None, None
            self._tell(str(error))
            return
        if state == self._read:
            return
        if state != self._seen:
            self._seen = state
            return
        self._read = state
        try:
            users = await asyncio.to_thread(_users_of, self._path)
        except UsersFileUnusable as error:
            self._tell(str(error))
            return
        # Replaced on the loop, where calls are judged: each sees one whole file or the other.
        old, self._users, self._problem = self._users, users, None
        log_event(_log, logging.INFO, "users file read", users=len(users))
        await asyncio.to_thread(_let_go, old)

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    def _tell(self, problem: str) -> None:
        told = f"{problem}; until then the {len(self._users or ())} users read before stay known"
        if told != self._problem:
            log_event(_log, logging.WARNING, "users file not taken", problem=told)
        self._problem = told


def _state(path: Path) -> _State:
    """What is different after any change of the file, of its content or of who may read it."""
    try:
        return _state_of(path.stat())
    except OSError as error:
        raise _unusable(path, f"can not be read: {error.strerror}; put it back") from error


def _state_of(found: os.stat_result) -> _State:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _users_of(path: Path) -> _Users:
    """Every user of the file; gives way to other threads, however long the file is."""
    users: _Users = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            before = _state_of(os.fstat(file.fileno()))
            lines = csv.reader(file, strict=True)
            names = [name.lower() for name in next(lines, [])]
            if _COLUMN not in names:
                raise _unusable(path, f"has no column {_COLUMN} in its first line: add it")
            column = names.index(_COLUMN)
            for number, line in enumerate(lines):
                user = line[column].strip(" ") if column < len(line) else ""
                if user:
                    users[user.encode()] = None
                if number % _LINES_AT_A_TIME == 0:
                    time.sleep(0)
            changed = _state_of(os.fstat(file.fileno())) != before
    except UnicodeDecodeError as error:
        raise _unusable(path, "is not UTF-8: save it as UTF-8") from error
    except csv.Error as error:
        raise _unusable(path, f"is no CSV in line {lines.line_num}: {error}; mend it") from error
    except OSError as error:
        raise _unusable(path, f"can not be read: {error.strerror}; let the receiver read it") from error
    if changed:
        raise _unusable(path, "changed while it was read: write it under another name and rename it")
    if not users:
        raise _unusable(path, "names no user: put one in a line of its own")
    return users


def _let_go(users: _Users | None) -> None:
    """Free the users little by little: nothing else runs while Python frees a million at once."""
    while users:
        for _ in range(min(len(users), _LINES_AT_A_TIME)):
            users.popitem()
        time.sleep(0)


def _unusable(path: Path, what: str) -> UsersFileUnusable:
    return UsersFileUnusable(f"ASLEEP_USERS_FILE: {path} {what}")
