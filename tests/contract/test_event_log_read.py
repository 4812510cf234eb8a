"""What every event log promises to whoever reads; the Kafka one on a real broker."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

import pytest

from ingest.event_log import open_reader
from ingest.event_log.base import Partition
from ingest.records import Topic
from tests.event_log import RECORD, Sent, append_all, ignore, numbered, until_well, wait_until, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from ingest.event_log.base import EventLogReader, LogRecord, Position, Rebalanced
    from ingest.settings import Settings


@pytest.fixture
def opened(log_settings: Settings) -> Iterator[Callable[..., EventLogReader]]:
    """Opens readers of the log, closed at the end of the test."""
    readers: list[EventLogReader] = []

    def reader(
        group: str = "group", topics: Collection[str] = (Topic.EVENTS,), on_assigned: Rebalanced = ignore
    ) -> EventLogReader:
        readers.append(open_reader(log_settings, topics, group, on_assigned, ignore))
        return readers[-1]

    yield reader
    for each in readers:
        each.close()


def read(reader: EventLogReader, count: int) -> list[LogRecord]:
    """Poll until `count` records came; no more than these come."""
    found: list[LogRecord] = []

    def enough() -> bool:
        for records in reader.poll(5.0, 1000).values():
            found.extend(records)
        return len(found) >= count

    wait_until(enough, f"{count} records")
    assert len(found) == count
    return found


def values(records: Collection[LogRecord]) -> list[bytes | None]:
    return [record.value for record in records]


def home_of(positions: list[Position]) -> Partition:
    """The one partition of records of one key."""
    (home,) = {Partition(position.topic, position.partition) for position in positions}
    return home


def test_topics_are_apart_from_each_other(
    log_settings: Settings, opened: Callable[..., EventLogReader]
) -> None:
    append_all(log_settings, numbered(3), Topic.EVENTS)
    append_all(log_settings, [RECORD], Topic.ATTEMPTS)
    assert [Sent.of(record) for record in read(opened(topics=[Topic.ATTEMPTS]), 1)] == [RECORD]


def test_a_reader_of_several_topics_reads_them_all(
    log_settings: Settings, opened: Callable[..., EventLogReader]
) -> None:
    append_all(log_settings, numbered(3), Topic.EVENTS)
    append_all(log_settings, numbered(2), Topic.ATTEMPTS)
    topics = [record.topic for record in read(opened(topics=list(Topic)), 5)]
    assert sorted(topics) == [Topic.ATTEMPTS] * 2 + [Topic.EVENTS] * 3


def test_a_seek_resumes_at_exactly_that_record(
    log_settings: Settings, opened: Callable[..., EventLogReader]
) -> None:
    home = home_of(append_all(log_settings, numbered(10)))
    reader = opened()
    read(reader, 10)
    reader.seek(home, 7)
    assert values(read(reader, 3)) == [b"7", b"8", b"9"]


def test_the_position_is_behind_what_was_read_or_where_a_seek_went(
    log_settings: Settings, opened: Callable[..., EventLogReader]
) -> None:
    home = home_of(append_all(log_settings, numbered(5)))
    reader = opened()
    read(reader, 5)
    assert reader.position(home) == 5
    reader.seek(home, 2)
    assert reader.position(home) == 2
    read(reader, 3)
    assert reader.position(home) == 5


def test_a_seek_in_the_callback_of_an_assignment_comes_before_the_first_record(
    log_settings: Settings, opened: Callable[..., EventLogReader]
) -> None:
    home = home_of(append_all(log_settings, numbered(10)))

    def resume(partitions: Collection[Partition]) -> None:
        for partition, end in reader.end_offsets(partitions).items():
            reader.seek(partition, 4 if partition == home else end)

    reader = opened(on_assigned=resume)
    assert [record.offset for record in read(reader, 6)] == [4, 5, 6, 7, 8, 9]


def test_a_seek_in_a_partition_that_is_not_assigned_is_an_error(
    opened: Callable[..., EventLogReader],
) -> None:
    with pytest.raises(ValueError, match="assigned"):
        opened().seek(Partition(Topic.EVENTS, 0), 0)


def test_a_new_member_starts_where_its_group_committed_and_another_group_at_the_beginning(
    log_settings: Settings, opened: Callable[..., EventLogReader]
) -> None:
    home = home_of(append_all(log_settings, numbered(10)))
    first = opened(group="ours")
    read(first, 10)
    first.commit({home: 6})
    first.close()
    assert values(read(opened(group="ours"), 4)) == [b"6", b"7", b"8", b"9"]
    assert len(read(opened(group="theirs"), 10)) == 10


def test_a_poll_returns_no_more_records_than_asked_for(
    log_settings: Settings, opened: Callable[..., EventLogReader]
) -> None:
    append_all(log_settings, numbered(10))
    reader = opened()
    found: list[LogRecord] = []

    def some() -> bool:
        for records in reader.poll(0.2, 3).values():
            found.extend(records)
        return bool(found)

    wait_until(some, "records")
    assert values(found) == [b"0", b"1", b"2"]


def test_a_reader_that_polls_in_passing_and_works_in_between_gets_its_records_too(
    log_settings: Settings, opened: Callable[..., EventLogReader]
) -> None:
    append_all(log_settings, [RECORD])
    reader = opened()

    def polled() -> bool:
        time.sleep(0.05)
        return bool(reader.poll(0, 1))

    wait_until(polled, "a record")


def test_first_and_end_offsets_bound_what_is_in_each_partition(
    log_settings: Settings, opened: Callable[..., EventLogReader]
) -> None:
    home = home_of(append_all(log_settings, numbered(7)))
    reader = opened()
    partitions = reader.partitions([Topic.EVENTS, Topic.ATTEMPTS, "no-such-topic"])
    assert home in partitions
    assert {partition.topic for partition in partitions} == set(Topic)
    assert reader.first_offsets(partitions) == dict.fromkeys(partitions, 0)
    assert reader.end_offsets(partitions) == dict.fromkeys(partitions, 0) | {home: 7}


def test_a_started_writer_makes_the_topics(
    log_settings: Settings, opened: Callable[..., EventLogReader]
) -> None:
    reader = opened()
    assert reader.partitions(list(Topic)) == []

    async def run() -> None:
        async with writing(log_settings) as writer:
            await until_well(writer)

    asyncio.run(run())
    assert {partition.topic for partition in reader.partitions(list(Topic))} == set(Topic)


def test_a_reader_that_was_there_before_the_topics_reads_what_comes(
    log_settings: Settings, opened: Callable[..., EventLogReader]
) -> None:
    reader = opened()
    reader.poll(0.1, 1)
    append_all(log_settings, [RECORD])
    assert values(read(reader, 1)) == [RECORD.value]


def test_a_log_has_one_identity_for_ever(
    log_settings: Settings, opened: Callable[..., EventLogReader]
) -> None:
    before = opened().log_id
    append_all(log_settings, [RECORD])
    assert opened().log_id == before
    assert re.fullmatch(r"[A-Za-z0-9_-]{20,}", before)
