"""Landed files in a bucket: joined through any crash, retired, and proved as in a folder."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest

from ingest.compaction import compact
from ingest.coverage import shares
from ingest.landed_files import landed_files
from ingest.landed_rows import read_rows
from ingest.raw_store.base import Write
from ingest.raw_store.objects import ObjectStore
from ingest.retention import retire
from ingest.settings import Settings
from ingest.verify import verify
from tests.s3_server import S3Server
from tests.unit.memory_reader import EVENTS
from tests.unit.raw_worlds import DAY, LATER, log_of, put, put_small_ones


class Killed(BaseException):
    """Stands for kill -9: nothing of ours handles it."""


class DyingStore(ObjectStore):
    """Dies at the n-th of its steps: before and after each object that comes, before each that goes."""

    def __init__(self, url: str, steps: int) -> None:
        super().__init__(url)
        self.left = steps

    def _step(self) -> None:
        self.left -= 1
        if not self.left:
            raise Killed

    def create(self, name: str, write: Write, check: Callable[[], None], *, alone_in: str) -> int:
        self._step()
        size = super().create(name, write, check, alone_in=alone_in)
        self._step()
        return size

    def remove(self, name: str) -> None:
        self._step()
        super().remove(name)


@pytest.fixture
def settings(tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return Settings(data_dir=tmp_path, raw_url=f"{s3_server.make_bucket(secrets.token_hex(8))}/raw")


def upload(settings: Settings, tmp_path: Path) -> None:
    """Put the files of the folder into the bucket."""
    store = ObjectStore(settings.raw_url)
    for path in (tmp_path / "raw").rglob("*.parquet"):
        name = str(path.relative_to(tmp_path / "raw"))
        store.create(name, partial(_copy, path), lambda: None, alone_in="")


def _copy(path: Path, file: BinaryIO) -> None:
    file.write(path.read_bytes())


def offsets(settings: Settings) -> list[int]:
    store = ObjectStore(settings.raw_url)
    return sorted(
        offset
        for share in shares(landed_files(store, EVENTS.topic))
        if not share.is_empty
        for rows in read_rows(store, share)
        for offset in rows["log_offset"].to_pylist()
    )


def test_killed_at_any_step_a_compaction_in_a_bucket_loses_and_doubles_nothing(
    tmp_path: Path, settings: Settings
) -> None:
    put_small_ones(tmp_path, 5)
    upload(settings, tmp_path)
    log = log_of(tmp_path)
    kills = 0
    for steps in (1, 2, 3, 2, 7):
        try:
            compact(settings, now=LATER, store=DyingStore(settings.raw_url, steps))
        except Killed:
            kills += 1
        assert offsets(settings) == list(range(15))
        report = verify(settings, deep=True, connect=log.connect)
        assert report.ok, report.problems
    assert kills == 4
    files = landed_files(ObjectStore(settings.raw_url), EVENTS.topic)
    assert [(file.first_offset, file.last_offset) for file in files] == [(0, 11), (12, 14)]


def test_what_is_retired_in_a_bucket_is_no_loss(tmp_path: Path, settings: Settings) -> None:
    for number in range(4):
        put(tmp_path, 3 * number, 3 * number + 2, day=DAY + timedelta(days=number))
    upload(settings, tmp_path)
    log = log_of(tmp_path)
    keeping = settings.model_copy(update={"keep_events_days": 1})
    for days, removed in ((2, 1), (3, 1), (3, 0), (400, 1)):
        assert retire(keeping, lambda _: True, today=DAY + timedelta(days=days)).files == removed
        report = verify(settings, deep=True, connect=log.connect)
        assert report.ok, report.problems
    assert [part.retired for part in report.partitions] == [9]
