"""A users file that changes: its new users are known soon, and a broken one changes nothing."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest import known_users
from ingest.known_users import KnownUsers
from ingest.records import Reason
from tests.unit.users_files import UNUSABLE, known, written


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "users.csv")


def look(users: KnownUsers, times: int = 2) -> None:
    async def looks() -> None:
        for _ in range(times):
            await users.look()

    asyncio.run(looks())


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.001)


def test_a_changed_file_is_taken_in_once_it_is_the_same_at_two_looks(file: Path) -> None:
    users = known(file)
    look(users)
    file.write_text("user_id\nlinus\n")
    look(users, times=1)
    assert users.refusal(b"linus") is Reason.UNKNOWN_USER
    look(users, times=1)
    assert users.refusal(b"linus") is None
    assert users.refusal(b"ada") is Reason.UNKNOWN_USER
    assert users.problem() is None


def test_a_file_that_grows_from_look_to_look_is_not_taken_for_a_whole_one(file: Path) -> None:
    users = known(file)
    file.write_text("user_id\n")
    for name in ("linus", "margaret", "ada"):
        with file.open("a") as lines:
            lines.write(f"{name}\n")
        look(users, times=1)
        assert users.refusal(b"grace") is None
    look(users, times=1)
    assert users.refusal(b"grace") is Reason.UNKNOWN_USER
    assert users.refusal(b"margaret") is None


def test_a_file_renamed_into_place_is_taken_in_even_with_the_same_size_and_time(file: Path) -> None:
    users = known(file)
    new = file.with_name("new.csv")
    new.write_text(file.read_text().replace("ada", "eve"))
    then = file.stat()
    os.utime(new, ns=(then.st_atime_ns, then.st_mtime_ns))
    new.rename(file)
    look(users)
    assert users.refusal(b"eve") is None


def test_a_file_that_did_not_change_is_not_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = known(file)
    monkeypatch.setattr(known_users, "_users_of", lambda _: pytest.fail("was read again"))
    look(users, times=5)


@pytest.mark.parametrize(("content", "problem"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_new_file_keeps_the_users_known_until_it_is_mended(
    file: Path, content: bytes, problem: str
) -> None:
    users = known(file)
    file.write_bytes(content)
    look(users)
    told = users.problem()
    assert told is not None
    assert problem in told
    assert told.endswith("until then the 2 users read before stay known")
    look(users)
    assert users.problem() == told
    assert users.refusal(b"ada") is None
    file.write_text("user_id\nlinus\n")
    look(users)
    assert users.problem() is None
    assert users.refusal(b"linus") is None


def test_a_file_that_is_away_is_a_problem_until_it_is_back(file: Path) -> None:
    link = file.with_name("link.csv")
    link.symlink_to(file)
    users = known(link)
    link.unlink()
    look(users)
    assert "put it back" in (users.problem() or "")
    assert users.refusal(b"ada") is None
    link.symlink_to(file)
    look(users)
    assert users.problem() is None


def test_a_file_that_changes_under_its_reader_is_not_taken(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_more(_: float) -> None:
        with file.open("a") as lines:
            lines.write("eve\n")

    users = known(file)
    file.write_text("user_id\nlinus\n")
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", write_more)
        look(users)
    assert "changed while it was read" in (users.problem() or "")
    assert users.refusal(b"ada") is None
    look(users)
    assert users.problem() is None
    assert users.refusal(b"eve") is None


def test_an_unusable_file_is_read_once_and_told_once_and_not_on_the_event_loop(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    users = known(file)
    readers: list[int] = []
    real = known_users._users_of

    def spy(path: Path) -> dict[bytes, None]:
        readers.append(threading.get_ident())
        return real(path)

    monkeypatch.setattr(known_users, "_users_of", spy)
    file.write_text("nothing\n")
    look(users, times=5)
    assert len(readers) == 1
    assert readers[0] != threading.get_ident()
    assert [record.getMessage() for record in caplog.records] == ["users file not taken"]


def test_replaced_users_are_freed_to_the_last(file: Path) -> None:
    users = known(file)
    before = users._users
    file.write_text("user_id\nlinus\n")
    look(users)
    assert before == {}


def test_a_change_is_noticed_without_asking_until_the_close(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_users, "LOOK_SECONDS", 0.001)
    users = known(file)

    async def scenario() -> None:
        tasks = asyncio.all_tasks()
        users.start()
        written(file.with_name("new.csv")).rename(file)
        with file.open("a") as lines:
            lines.write("linus\n")
        await until(lambda: users.refusal(b"linus") is None)
        await users.close()
        await users.close()
        assert asyncio.all_tasks() == tasks

    asyncio.run(scenario())


def test_a_watch_that_ended_is_a_problem_and_its_error_is_not_swallowed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(known_users, "LOOK_SECONDS", 0.0)
    users = known(file)
    monkeypatch.setattr(users, "look", fail)

    async def scenario() -> None:
        users.start()
        await until(lambda: users.problem() is not None)
        assert "restart the receiver" in (users.problem() or "")
        with pytest.raises(ZeroDivisionError):
            await users.close()

    asyncio.run(scenario())
