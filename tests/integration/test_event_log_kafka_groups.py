"""Reading from Kafka in a group: partitions that move between members, and a record that nobody can read."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from ingest.event_log import open_reader
from ingest.event_log.base import LogUnavailable, Partition, UnreadableRecord
from ingest.records import Topic
from ingest.settings import Settings
from tests.event_log import ignore, taken, wait_until, writing
from tests.integration.broken_batches import break_batches, flip_a_bit
from tests.integration.group_member import Member
from tests.kafka_broker import Broker, free_port

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from ingest.event_log.base import Position

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def settings(fragile_kafka: Broker, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, event_log_url=fragile_kafka.url, append_timeout_seconds=1.0)


@pytest.fixture
def three_records(settings: Settings) -> Partition:
    """Three records in one partition of the log; that partition."""

    async def make() -> list[Position]:
        async with writing(settings) as writer:
            return [await taken(writer) for _ in range(3)]

    positions = asyncio.run(make())
    assert [position.offset for position in positions] == [0, 1, 2]
    return Partition(Topic.EVENTS, positions[0].partition)


def test_a_reader_without_a_broker_says_that_the_log_is_unavailable_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.event_log.kafka_cluster.CONNECT_SECONDS", 0.5)
    address = f"127.0.0.1:{free_port()}"
    before = threading.active_count()
    with pytest.raises(LogUnavailable, match=address):
        open_reader(
            Settings(data_dir=tmp_path, event_log_url=f"kafka://{address}"), list(Topic), "g", ignore, ignore
        )
    assert threading.active_count() == before


@pytest.mark.usefixtures("three_records")
def test_members_of_a_group_share_the_partitions_and_take_over_from_each_other(settings: Settings) -> None:
    with ExitStack() as stack:
        first = Member(settings)
        stack.callback(first.leave)
        wait_until(lambda: first.reads(6), "six partitions for one member")
        second = Member(settings)
        try:
            wait_until(lambda: first.reads(3) and second.reads(3), "three partitions for each of two")
            assert not set(first.reader.assignment()) & set(second.reader.assignment())
            assert len(first.revoked) == 6
        finally:
            second.leave()
        assert second.revoked == []
        wait_until(lambda: first.reads(6), "six partitions for the one that stays")
        assert first.failure is None
        assert second.failure is None


def test_an_offset_committed_while_partitions_are_taken_is_where_their_next_owner_starts(
    settings: Settings, three_records: Partition
) -> None:
    with ExitStack() as stack:
        first = Member(settings, lambda _: first.reader.commit({three_records: 2}))
        stack.callback(first.leave)
        wait_until(lambda: first.offsets == [0, 1, 2], "the records")
        second = Member(settings)
        stack.callback(second.leave)
        wait_until(lambda: first.reads(3) and second.reads(3), "three partitions for each of two")
        first.leave()
        wait_until(lambda: second.reads(6), "six partitions for the one that stays")
        wait_until(lambda: second.offsets == [2], "the record behind the commit, and no other")


@pytest.mark.usefixtures("three_records")
def test_a_failure_while_partitions_are_taken_comes_out_of_poll_as_it_is(settings: Settings) -> None:
    class Broken(Exception):
        pass

    def fail(_: Collection[Partition]) -> None:
        raise Broken

    with ExitStack() as stack:
        first = Member(settings, fail)
        stack.callback(first.leave)
        wait_until(lambda: first.reads(6), "six partitions for one member")
        second = Member(settings)
        stack.callback(second.leave)
        wait_until(lambda: first.failure is not None, "the failure")
        first.reader.close()
        assert type(first.failure) is Broken


def test_a_record_that_can_not_be_read_is_named_at_every_poll_until_the_reader_seeks_past_it(
    settings: Settings, three_records: Partition, fragile_kafka: Broker
) -> None:
    break_batches(fragile_kafka, three_records, {1: flip_a_bit})
    read: list[int] = []
    reader = open_reader(settings, [Topic.EVENTS], "group", ignore, ignore)

    def poll() -> bool:
        read.extend(record.offset for record in reader.poll(0.2, 100).get(three_records, ()))
        return False

    where = f"asleep.events-{three_records.partition} .* offset 1"
    try:
        with pytest.raises(UnreadableRecord, match=where) as failure:
            wait_until(poll, "the record that can not be read")
        assert (failure.value.partition, failure.value.offset) == (three_records, 1)
        assert read == [0]
        with pytest.raises(UnreadableRecord):
            reader.poll(0.2, 100)
        reader.seek(three_records, 2)
        wait_until(lambda: poll() or read == [0, 2], "the record behind it")
    finally:
        reader.close()
