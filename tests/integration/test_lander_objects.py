"""Landed files in a bucket: landed through kills and races, proved and built as from a folder."""

from __future__ import annotations

import random
import secrets
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.batches import Batch, Limits
from ingest.coverage import shares
from ingest.event_log.base import Partition
from ingest.landed_files import landed_files
from ingest.raw_files import AlreadyLanded, RawFiles
from ingest.raw_store import open_store
from ingest.raw_store.base import Write
from ingest.raw_store.objects import ObjectStore
from ingest.records import Topic
from ingest.settings import Settings
from ingest.verify import verify
from tests.builds import different_rows, rows, run_build, settings_for, table_names
from tests.integration.lander_process import (
    LanderProcess,
    Writer,
    assert_each_landed_once,
    number_of_files,
    running_lander,
    wait_until,
)
from tests.raw_events import land, simulated_events
from tests.s3_server import S3Server
from tests.unit.memory_reader import ReadableLog

EVENTS = Partition(Topic.EVENTS.value, 0)
AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server.make_bucket(secrets.token_hex(8))


@pytest.mark.soak
def test_a_lander_killed_again_and_again_lands_every_offset_once(
    tmp_path: Path, bucket: str, *, soaking: bool
) -> None:
    settings = Settings(
        data_dir=tmp_path, raw_url=f"{bucket}/raw", land_max_rows=25, land_max_age_seconds=0.05
    )
    moments = random.Random(8)
    with Writer(settings) as writer:
        for _ in range(100 if soaking else 5):
            before = number_of_files(settings)
            with running_lander(settings):
                wait_until(lambda: number_of_files(settings) > before, "a landed file")  # noqa: B023  awaited here
                time.sleep(moments.uniform(0, 0.1))
    assert LanderProcess(settings, "--once").wait() == 0
    assert len(writer.receipts) >= 50
    report = assert_each_landed_once(settings, writer.receipts, tmp_path)
    assert sum(partition.rows for partition in report.partitions) == len(writer.receipts)
    assert not settings.raw_dir.exists()


class OvertakenStore(ObjectStore):
    """A bucket in which somebody else lands between the check and the creation of a file."""

    def __init__(self, url: str, overtake: Callable[[], object]) -> None:
        super().__init__(url)
        self._overtake = overtake

    def create(self, name: str, write: Write, check: Callable[[], None], *, alone_in: str) -> int:
        def check_and_be_overtaken() -> None:
            check()
            self._overtake()

        return super().create(name, write, check_and_be_overtaken, alone_in=alone_in)


def batch_of(log: ReadableLog, first: int, last: int) -> Batch:
    batch = Batch(log.log_id, EVENTS, first, Limits(1000, 10**9))
    batch.take(log.records[EVENTS][first : last + 1], 0)
    return batch


def test_a_lander_that_was_overtaken_doubles_no_row(tmp_path: Path, bucket: str) -> None:
    settings = Settings(data_dir=tmp_path, raw_url=bucket)
    log = ReadableLog()
    log.append(9)
    others = RawFiles(ObjectStore(bucket), log.log_id)

    def overtake() -> None:
        others.land(batch_of(log, 0, 2))
        others.land(batch_of(log, 3, 8))

    RawFiles(OvertakenStore(bucket, overtake), log.log_id).land(batch_of(log, 0, 5))
    files = landed_files(open_store(settings), Topic.EVENTS)
    assert [(file.first_offset, file.last_offset) for file in files] == [(0, 2), (0, 5), (3, 8)]
    assert [(share.first_offset, share.last_offset) for share in shares(files) if not share.is_empty] == [
        (0, 5),
        (6, 8),
    ]
    assert verify(settings, deep=True, connect=log.connect).problems == ()
    run_build(settings, AS_OF)
    assert rows(settings, "select count(*), count(distinct log_offset) from stg_events") == [(9, 9)]


def test_the_same_file_twice_is_refused(bucket: str) -> None:
    log = ReadableLog()
    log.append(3)
    others = RawFiles(ObjectStore(bucket), log.log_id)
    overtaken = OvertakenStore(bucket, lambda: others.land(batch_of(log, 0, 2)))
    with pytest.raises(AlreadyLanded):
        RawFiles(overtaken, log.log_id).land(batch_of(log, 0, 2))
    assert others.next_offset(Partition(Topic.EVENTS, 0)) == 3


def test_a_warehouse_built_from_a_bucket_is_that_built_from_a_folder(tmp_path: Path, bucket: str) -> None:
    local = settings_for(tmp_path / "local")
    remote = settings_for(tmp_path / "remote").model_copy(update={"raw_url": bucket})
    events = simulated_events(users=2, days=2)
    store = open_store(remote)
    for part in (events[: len(events) // 2], events[len(events) // 2 :]):
        path = land(local, part)
        name = str(path.relative_to(local.raw_dir))
        with path.open("rb") as file:
            store.create(name, lambda copy: shutil.copyfileobj(file, copy), lambda: None, alone_in="")
        run_build(local, AS_OF)
        assert run_build(remote, AS_OF).new_files == 1
    first, second = (settings.warehouse_dir / "build.duckdb" for settings in (local, remote))
    assert different_rows(first, second, [*table_names(), "raw_files", "loaded_offsets"], but=()) == {}
