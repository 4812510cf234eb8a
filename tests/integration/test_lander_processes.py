"""The lander as a process: killed, stopped, run beside another, out of disk."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from ingest.event_log.base import Partition
from ingest.landed_files import landed_files
from ingest.raw_store import open_store
from ingest.records import Topic
from ingest.settings import Settings
from ingest.verify import verify
from tests.integration.lander_process import (
    LanderProcess,
    Writer,
    append_events,
    assert_each_landed_once,
    number_of_files,
    running_lander,
    wait_until,
)

READING = "reading a partition"
KILLS = {"sqlite": 8, "kafka": 1}
"""Kafka gives the partitions of a dead member to the next one only after its session time-out."""


def wait_for_more_files(settings: Settings, more: int = 1) -> None:
    before = number_of_files(settings)
    wait_until(lambda: number_of_files(settings) >= before + more, "a landed file")


@pytest.mark.slow
def test_a_lander_killed_again_and_again_lands_every_offset_once(
    log_settings: Settings, tmp_path: Path
) -> None:
    settings = log_settings.model_copy(update={"land_max_rows": 25, "land_max_age_seconds": 0.05})
    moments = random.Random(8)
    with Writer(settings) as writer:
        for _ in range(KILLS["kafka" if settings.log_url.startswith("kafka") else "sqlite"]):
            with running_lander(settings):
                wait_for_more_files(settings)
                time.sleep(moments.uniform(0, 0.05))
    assert LanderProcess(settings, "--once").wait() == 0
    assert writer.unclear == 0
    assert len(writer.receipts) >= 50
    report = assert_each_landed_once(settings, writer.receipts, tmp_path)
    assert sum(partition.rows for partition in report.partitions) == len(writer.receipts)
    assert not list(settings.raw_dir.rglob("*.tmp"))


def test_sigterm_lands_what_was_read_and_ends_well(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, land_max_rows=40, land_max_age_seconds=3600)
    receipts = append_events(settings, 50)
    with running_lander(settings) as lander:
        wait_for_more_files(settings)
        assert [file.last_offset for file in landed_files(open_store(settings), Topic.EVENTS)] == [39]
        assert lander.terminate() == 0
        assert [line["because"] for line in lander.logged("landed a file")] == ["rows", "end", "end"]
    assert_each_landed_once(settings, receipts, tmp_path)


def test_a_second_lander_takes_over_from_a_killed_one(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, land_max_rows=25, land_max_age_seconds=0.2)
    with running_lander(settings) as first, running_lander(settings) as second:
        with Writer(settings) as writer:
            wait_for_more_files(settings, 5)
            first.kill()
            before = len(second.logged("landed a file"))
            wait_until(lambda: len(second.logged("landed a file")) > before + 5, "files of the second lander")
        assert LanderProcess(settings, "--once").wait() == 0
        assert second.terminate() == 0
    assert_each_landed_once(settings, writer.receipts, tmp_path)


@pytest.mark.kafka
@pytest.mark.slow
def test_a_lander_that_slept_through_a_rebalance_lands_nothing_twice(kafka_url: str, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, event_log_url=kafka_url, land_max_age_seconds=1.5, append_timeout_seconds=10.0
    )
    with running_lander(settings) as sleepy, running_lander(settings) as other:
        with Writer(settings) as writer:
            wait_until(
                lambda: sleepy.logged("landed a file") and other.logged("landed a file"), "both to land"
            )
            had, taken = len(sleepy.logged(READING)), len(other.logged(READING))
            sleepy.pause()
            wait_until(lambda: len(other.logged(READING)) > taken + 6, "the other to take over")
            wait_for_more_files(settings, 12)
            sleepy.resume()
            wait_until(lambda: len(sleepy.logged(READING)) > had, "the sleeper to be given partitions again")
        assert other.terminate() == 0
        assert sleepy.terminate() == 0
    assert LanderProcess(settings, "--once").wait() == 0
    assert_each_landed_once(settings, writer.receipts, tmp_path)


def test_a_disk_without_room_fails_once_and_leaves_nothing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    receipts = append_events(settings, 500, body=lambda: os.urandom(2000).hex().encode())
    lander = LanderProcess(settings, "--once", "--largest-file=60000")
    assert lander.wait() == 1
    assert not [path for path in settings.raw_dir.rglob("*") if path.is_file()]
    assert not verify(settings).ok
    assert LanderProcess(settings, "--once").wait() == 0
    assert_each_landed_once(settings, receipts, tmp_path)


def test_a_disk_without_room_is_awaited(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, land_max_rows=50)
    append_events(settings, 500, body=lambda: os.urandom(2000).hex().encode())
    with running_lander(settings, "--largest-file=60000") as lander:
        wait_until(lambda: len(lander.logged("landing failed")) >= 2, "two failures")
        assert "File too large" in lander.logged("landing failed")[0]["error"]
        assert lander.terminate() == 0
    assert number_of_files(settings) == 0


def test_verify_looks_on_while_a_lander_is_at_work(log_settings: Settings) -> None:
    settings = log_settings.model_copy(update={"land_max_age_seconds": 0.1})
    append_events(settings, 60)
    with running_lander(settings) as lander:
        wait_until(lambda: verify(settings).ok, "everything to be landed")
        reading = len(lander.logged(READING))
        report = verify(settings, deep=True)
        assert report.receipts is not None
        assert report.receipts.different == 60
        append_events(settings, 60)
        wait_until(
            lambda: sum(partition.rows for partition in verify(settings).partitions) == 120, "the rest"
        )
        assert len(lander.logged(READING)) == reading
    assert {partition.source for partition in report.partitions} >= {Partition(topic, 0) for topic in Topic}
