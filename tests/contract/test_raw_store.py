"""What every store of landed files promises, be it a folder or a bucket."""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.raw_store import open_store
from ingest.raw_store.base import RawStore, StoreUnavailable
from ingest.settings import Settings
from tests.s3_server import S3Server

FOLDER = "asleep.events/log=a"
NAME = f"{FOLDER}/received_date=2026-01-31/asleep.events+0+1.parquet"


@pytest.fixture(params=["folder", "s3"])
def store_settings(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    if request.param == "folder":
        return Settings(data_dir=tmp_path)
    server: S3Server = request.getfixturevalue("s3_server")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Settings(data_dir=tmp_path, raw_url=f"{server.make_bucket(secrets.token_hex(8))}/some/place")


@pytest.fixture
def store(store_settings: Settings) -> RawStore:
    store = open_store(store_settings)
    store.prepare()
    return store


def put(store: RawStore, name: str, content: bytes, check: Callable[[], None] = lambda: None) -> int:
    return store.create(name, lambda file: file.write(content), check, alone_in=FOLDER)


def content_of(store: RawStore, name: str) -> bytes:
    with store.open(name) as file:
        return file.read()


def test_a_store_without_files_is_empty(store: RawStore) -> None:
    assert store.names("") == store.names(FOLDER) == []
    assert store.sweep(FOLDER) == []
    store.settle([])


def test_a_created_file_is_there_under_its_name(store: RawStore) -> None:
    assert put(store, NAME, b"content") == 7
    assert store.names("") == store.names(FOLDER) == store.names("asleep.events") == [NAME]
    assert store.names("asleep.attempts") == store.names("asleep") == []
    assert content_of(store, NAME) == b"content"
    store.settle([NAME])


def test_a_taken_name_is_refused_and_its_file_stays(store: RawStore) -> None:
    put(store, NAME, b"first")
    with pytest.raises(FileExistsError):
        put(store, NAME, b"second")
    assert content_of(store, NAME) == b"first"
    assert store.sweep(FOLDER) == []


def test_a_check_that_fails_leaves_nothing(store: RawStore) -> None:
    def refuse() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        put(store, NAME, b"content", refuse)
    assert store.names("") == store.sweep(FOLDER) == []


def test_a_write_that_fails_leaves_nothing(store: RawStore) -> None:
    def fail(_: object) -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        store.create(NAME, fail, lambda: None, alone_in=FOLDER)
    assert store.names("") == store.sweep(FOLDER) == []


def test_a_file_that_is_not_there_is_told(store: RawStore) -> None:
    with pytest.raises(FileNotFoundError):
        store.open(NAME)


def test_a_removed_file_is_gone_and_may_be_removed_again(store: RawStore) -> None:
    put(store, NAME, b"content")
    store.remove(NAME)
    store.remove(NAME)
    assert store.names("") == []
    put(store, NAME, b"again")


def test_a_file_can_be_sought_in(store: RawStore) -> None:
    put(store, NAME, bytes(range(256)) * 2000)
    with store.open(NAME) as file:
        assert file.seek(-3, 2) == 511_997
        assert file.read() == b"\xfd\xfe\xff"
        assert file.seek(256) == 256
        assert file.read(2) == b"\x00\x01"
        assert file.tell() == 258
        assert file.seek(600_000) >= 512_000
        assert file.read(1) == b""


def test_parquet_is_written_and_read(store: RawStore) -> None:
    table = pa.table({"a": range(10_000)})
    store.create(NAME, lambda file: pq.write_table(table, file), lambda: None, alone_in=FOLDER)
    with store.open(NAME) as file:
        assert pq.read_metadata(file).num_rows == 10_000
    with store.open(NAME) as file, pq.ParquetFile(file) as parquet:
        assert parquet.read().equals(table)


def test_of_many_that_create_the_same_name_one_succeeds(store: RawStore) -> None:
    start = threading.Barrier(8)

    def compete(number: int) -> int | None:
        start.wait()
        try:
            put(store, NAME, b"%d" % number)
        except FileExistsError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        [winner] = [number for number in pool.map(compete, range(8)) if number is not None]
    assert content_of(store, NAME) == b"%d" % winner


def test_a_checked_creation_is_alone_where_the_store_says_so(store: RawStore) -> None:
    if not store.is_exclusive:
        pytest.skip("a bucket has no locks: readers resolve what overlaps (tests/unit/test_coverage.py)")
    together = []

    def check() -> None:
        together.append(len(store.names("")))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(store, f"{NAME}.{number}", b"", check), range(8)))
    assert sorted(together) == list(range(8))


KILLED = """
import os, signal, sys
from ingest.raw_store import open_store
from ingest.settings import Settings

def write(file):
    file.write(b"x" * 100_000)
    if sys.argv[1] == "write":
        os.kill(os.getpid(), signal.SIGKILL)

def check():
    os.kill(os.getpid(), signal.SIGKILL)

store = open_store(Settings())
store.prepare()
store.create(sys.argv[2], write, check, alone_in=sys.argv[3])
"""


@pytest.mark.parametrize("moment", ["write", "check"])
def test_a_writer_killed_before_the_file_has_its_name_leaves_nothing_that_is_read(
    store_settings: Settings, store: RawStore, moment: str
) -> None:
    command = [sys.executable, "-c", KILLED, moment, NAME, FOLDER]
    assert subprocess.run(command, env=store_settings.environment(), check=False).returncode == -9
    assert store.names("") == []
    store.sweep(FOLDER)
    assert put(store, NAME, b"content") == 7
    assert store.sweep(FOLDER) == []


def test_a_store_that_can_not_be_reached_is_told(
    store_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not store_settings.raw_url:
        pytest.skip("a folder is always reached; what its disk refuses is in tests/unit/test_lander_disk.py")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    away = open_store(store_settings)
    attempts: list[Callable[[], object]] = [
        *(away.prepare, lambda: away.names(""), lambda: put(away, NAME, b""), lambda: away.open(NAME)),
    ]
    for attempt in attempts:
        with pytest.raises(StoreUnavailable) as caught:
            attempt()
        assert "\n" not in str(caught.value)
