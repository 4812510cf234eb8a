"""The embedded log among processes: made once, read by one member of a group at a time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from ingest.event_log import open_reader
from ingest.event_log.base import Partition
from ingest.records import Topic
from ingest.settings import Settings
from tests.event_log import PATIENCE_SECONDS, RECORD, append_all, as_argument, ignore, numbered, writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingest.event_log.base import EventLogReader

HOME = Partition(Topic.EVENTS, 0)

_MAKE = """
import json, sys
from ingest.event_log import open_reader
from ingest.settings import Settings

settings = Settings(**json.loads(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
print(open_reader(settings, ["asleep.events"], "group", print, print).log_id)
"""

_READ = """
import json, sys
from ingest.event_log import open_reader
from ingest.settings import Settings

reader = open_reader(Settings(**json.loads(sys.argv[1])), ["asleep.events"], "group", repr, repr)
print(sum(map(len, reader.poll(1, 10).values())), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def member(settings: Settings, stack: ExitStack) -> EventLogReader:
    reader = open_reader(settings, [Topic.EVENTS], "group", ignore, ignore)
    stack.callback(reader.close)
    return reader


def started(program: str, settings: Settings, stack: ExitStack) -> subprocess.Popen[str]:
    """A process that runs until the end of its input; killed at the end of the test."""
    command = [sys.executable, "-c", program, as_argument(settings)]
    process = stack.enter_context(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    )
    stack.callback(process.kill)
    return process


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_processes_that_make_the_log_at_the_same_time_make_one_log(
    settings: Settings, stack: ExitStack
) -> None:
    processes = [started(_MAKE, settings, stack) for _ in range(4)]
    assert [line_of(process) for process in processes] == ["ready"] * 4
    # All wait for the end of their input, which comes now.
    identities = {process.communicate(timeout=PATIENCE_SECONDS)[0].strip() for process in processes}
    assert identities == {member(settings, stack).log_id}
    assert not list(settings.data_dir.glob("*.new"))


def test_one_member_of_a_group_reads_and_the_next_takes_over_when_it_is_gone(
    settings: Settings, stack: ExitStack
) -> None:
    append_all(settings, numbered(3))
    active, waiting = member(settings, stack), member(settings, stack)
    assert len(active.poll(0, 10)[HOME]) == 3
    assert waiting.poll(0, 10) == {}
    assert not waiting.assignment()
    active.commit({HOME: 2})
    active.close()
    assert [record.offset for record in waiting.poll(0, 10)[HOME]] == [2]
    assert set(waiting.assignment()) == {HOME}


def test_a_member_that_is_killed_leaves_its_place_to_the_next(settings: Settings, stack: ExitStack) -> None:
    append_all(settings, [RECORD])
    active, waiting = started(_READ, settings, stack), member(settings, stack)
    assert line_of(active) == "1"
    assert waiting.poll(0, 10) == {}
    active.kill()
    active.wait(PATIENCE_SECONDS)
    assert len(waiting.poll(0, 10)[HOME]) == 1


def test_groups_do_not_stand_in_each_others_way(settings: Settings, stack: ExitStack) -> None:
    append_all(settings, [RECORD])
    first = member(settings, stack)
    other = open_reader(settings, [Topic.EVENTS], "other/group", ignore, ignore)
    stack.callback(other.close)
    assert first.poll(0, 10).keys() == other.poll(0, 10).keys() == {HOME}


def test_a_busy_topic_does_not_starve_the_other(settings: Settings, stack: ExitStack) -> None:
    async def run() -> None:
        async with writing(settings) as writer:
            futures = [writer.append(Topic.EVENTS, *RECORD) for _ in range(100)]
            await asyncio.gather(*futures, writer.append(Topic.ATTEMPTS, *RECORD))

    asyncio.run(run())
    reader = open_reader(settings, list(Topic), "group", ignore, ignore)
    stack.callback(reader.close)
    assert reader.poll(0, 10).keys() | reader.poll(0, 10).keys() == {Partition(topic, 0) for topic in Topic}
