"""Writing to Kafka through the faults of a cluster: brokers that die, topics that go or are too small."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from kafka.admin import ConfigResource, KafkaAdminClient

from ingest.event_log import open_reader
from ingest.event_log.base import AppendFailed, AppendTimeout, Partition, RecordRefused
from ingest.records import Topic
from ingest.settings import Settings
from tests.event_log import RECORD, Sent, everything_in, ignore, taken, wait_until, writing
from tests.integration.group_member import Member
from tests.kafka_broker import Broker, forget_everything

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.event_log.base import EventLogWriter, Position

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def settings(fragile_kafka: Broker, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, event_log_url=fragile_kafka.url, append_timeout_seconds=1.0)


def test_a_writer_that_starts_without_a_broker_connects_once_there_is_one(
    fragile_kafka: Broker, settings: Settings
) -> None:
    async def run() -> None:
        async with writing(settings) as writer:
            with pytest.raises(AppendTimeout):
                await writer.append(Topic.EVENTS, *RECORD)
            assert fragile_kafka.address in (writer.problem() or "")
            await asyncio.to_thread(fragile_kafka.start)
            await taken(writer)
            assert writer.problem() is None

    fragile_kafka.stop()
    asyncio.run(run())
    assert RECORD in map(Sent.of, everything_in(settings))


def test_nothing_acknowledged_is_lost_when_the_broker_is_killed_in_mid_batch_and_comes_back(
    fragile_kafka: Broker, settings: Settings
) -> None:
    acknowledged: dict[Position, bytes | None] = {}
    enough = asyncio.Event()

    async def append(writer: EventLogWriter, name: int) -> None:
        number = 0
        while not enough.is_set():
            number += 1
            value = f"{name}-{number}".encode()
            try:
                position = await writer.append(Topic.EVENTS, value, value, [])
            except AppendFailed:
                await asyncio.sleep(0.05)
            else:
                assert position not in acknowledged
                acknowledged[position] = value

    async def more(count: int) -> None:
        wanted = len(acknowledged) + count
        await asyncio.to_thread(
            wait_until, lambda: len(acknowledged) > wanted, f"{count} more acknowledgements"
        )

    async def run() -> None:
        async with writing(settings) as writer:
            appending = asyncio.gather(*[append(writer, name) for name in range(32)])
            await more(500)
            await asyncio.to_thread(fragile_kafka.kill)
            await asyncio.to_thread(fragile_kafka.start)
            await more(500)
            enough.set()
            await appending

    with ExitStack() as stack:
        reader = Member(settings)
        stack.callback(reader.leave)
        asyncio.run(run())
        wait_until(
            lambda: acknowledged.items() <= reader.values.items(), "all that was acknowledged, in a reader"
        )
    found = {(each.topic, each.partition, each.offset): each.value for each in everything_in(settings)}
    assert {position: found.get(position) for position in acknowledged} == acknowledged


def test_topics_that_were_deleted_are_made_again(fragile_kafka: Broker, settings: Settings) -> None:
    async def run() -> None:
        async with writing(settings) as writer:
            await taken(writer)
            await asyncio.to_thread(forget_everything, fragile_kafka.address)
            await taken(writer)

    asyncio.run(run())
    assert RECORD in map(Sent.of, everything_in(settings))


def test_a_record_that_the_broker_refuses_does_not_stop_those_behind_it(
    fragile_kafka: Broker, settings: Settings
) -> None:
    async def run() -> None:
        async with writing(settings) as writer:
            await taken(writer)
            with KafkaAdminClient(bootstrap_servers=fragile_kafka.address) as admin:
                smaller = ConfigResource("TOPIC", Topic.EVENTS, {"max.message.bytes": "1000"})
                await asyncio.to_thread(admin.alter_configs, [smaller])
                with pytest.raises(AppendFailed, match="MessageSizeTooLarge"):
                    await writer.append(Topic.EVENTS, b"key", os.urandom(100_000), [])
                larger = ConfigResource("TOPIC", Topic.EVENTS, {"max.message.bytes": "10000000"})
                await asyncio.to_thread(admin.alter_configs, [larger])
            await taken(writer)

    asyncio.run(run())
    assert [Sent.of(record) for record in everything_in(settings)] == [RECORD, RECORD]


def test_a_topic_that_takes_smaller_records_than_we_do_is_named_with_its_remedy(settings: Settings) -> None:
    with KafkaAdminClient(bootstrap_servers=settings.log_url.removeprefix("kafka://")) as admin:
        admin.create_topics(
            {Topic.EVENTS.value: {"num_partitions": 1, "configs": {"max.message.bytes": "1048588"}}}
        )

    async def run() -> None:
        async with writing(settings) as writer:
            with pytest.raises(AppendTimeout):
                await writer.append(Topic.EVENTS, *RECORD)
            problem = writer.problem() or ""
            assert "asleep.events" in problem
            assert "max.message.bytes" in problem
            assert "ASLEEP_MAX_BODY_BYTES" in problem

    asyncio.run(run())


def test_topics_get_the_settings_of_the_settings(settings: Settings) -> None:
    chosen = settings.model_copy(update={"kafka_partitions": 3})

    async def run() -> None:
        async with writing(chosen) as writer:
            await taken(writer)

    asyncio.run(run())
    reader = open_reader(chosen, list(Topic), "group", ignore, ignore)
    try:
        assert reader.partitions([Topic.ATTEMPTS]) == [
            Partition(Topic.ATTEMPTS, number) for number in range(3)
        ]
    finally:
        reader.close()


def test_a_record_that_no_segment_of_its_topic_takes_is_refused_and_those_behind_it_are_taken(
    settings: Settings,
) -> None:
    async def run() -> None:
        async with writing(settings) as writer:
            await taken(writer)
            with KafkaAdminClient(bootstrap_servers=settings.log_url.removeprefix("kafka://")) as admin:
                small = ConfigResource("TOPIC", Topic.EVENTS, {"segment.bytes": str(1024 * 1024)})
                await asyncio.to_thread(admin.alter_configs, [small])
            with pytest.raises(RecordRefused, match="RecordListTooLarge"):
                await writer.append(Topic.EVENTS, b"key", os.urandom(1024 * 1024 + 1), [])
            await taken(writer)

    asyncio.run(run())
    assert [Sent.of(record) for record in everything_in(settings)] == [RECORD, RECORD]
