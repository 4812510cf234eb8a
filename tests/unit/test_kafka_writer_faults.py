"""The Kafka writer through faults nobody foresaw: appends end, its thread lives, causes stay told."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from kafka.errors import (
    IllegalStateError,
    InvalidRecordError,
    InvalidTimestampError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    PolicyViolationError,
    RecordListTooLargeError,
)
from kafka.future import Future

from ingest.event_log import kafka_writer
from ingest.event_log.base import AppendFailed, AppendTimeout, RecordRefused
from ingest.event_log.kafka_writer import KafkaWriter
from ingest.settings import Settings
from tests.event_log import RECORD, until_well, writing
from tests.spooling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ingest.event_log.kafka_batches import Ends, Record

UNFORESEEN = RuntimeError("can't start new thread")


class Producer:
    """Stands for kafka-python's: `answer` is what it does with a record."""

    def __init__(self, answer: Callable[[Future], None]) -> None:
        self._answer = answer
        self.sent: list[Future] = []
        self.wake_ups: list[int] = []

    def hand_over(self, record: Record, ends: Ends) -> bool:
        sent = Future().add_errback(partial(ends.refused, record[0]))
        self.sent.append(sent)
        self._answer(sent)
        return True

    def wake(self) -> None:
        """Note how many records there were."""
        self.wake_ups.append(len(self.sent))

    def retire(self) -> None:
        for sent in self.sent:
            if not sent.is_done:
                sent.failure(IllegalStateError("Producer is closed forcefully."))


def hang(_: Future) -> None:
    """No answer."""


def failing(error: Exception) -> Callable[[Future], None]:
    def fail(sent: Future) -> None:
        sent.failure(error)

    return fail


def raising(error: Exception) -> Callable[[Future], None]:
    def fail(_: Future) -> None:
        raise error

    return fail


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, event_log_url="kafka://127.0.0.1:1", append_timeout_seconds=0.3)


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the writer connect to these, one after the other; an error is raised, the last one stays."""

    def use(*producers: Producer | Exception) -> None:
        left = list(producers)

        def connected(*_: object) -> Producer:
            found = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(kafka_writer, "ensure_topics", lambda _: None)
        monkeypatch.setattr(kafka_writer, "connected_producer", connected)
        monkeypatch.setattr(kafka_writer, "retire", Producer.retire)
        monkeypatch.setattr(kafka_writer, "_RETRY_SECONDS", 0.01)

    return use


def writing_to_kafka(settings: Settings, scenario: Callable[[KafkaWriter], Any]) -> None:
    async def run() -> None:
        async with writing(settings) as writer:
            assert isinstance(writer, KafkaWriter)
            await scenario(writer)

    asyncio.run(run())


def test_whatever_goes_wrong_while_connecting_it_is_told_and_tried_again(
    settings: Settings, connects: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    connects(UNFORESEEN, UNFORESEEN, Producer(hang))
    writing_to_kafka(settings, until_well)
    told = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert ["can't start new thread" in record.getMessage() for record in told] == [True, True]
    assert all(record.exc_info for record in told)


def test_a_fault_that_lasts_is_the_writers_problem(settings: Settings, connects: Callable[..., None]) -> None:
    connects(UNFORESEEN)

    async def scenario(writer: KafkaWriter) -> None:
        await eventually(lambda: "RuntimeError: can't start" in (writer.problem() or ""), "its problem")
        with pytest.raises(AppendTimeout):
            await writer.append("topic", *RECORD)

    writing_to_kafka(settings, scenario)


@pytest.mark.parametrize("error", [KeyError("topic"), TypeError("None"), BufferError("full")], ids=repr)
def test_whatever_sending_raises_is_a_failed_append(
    settings: Settings, connects: Callable[..., None], error: Exception
) -> None:
    connects(Producer(raising(error)))

    async def scenario(writer: KafkaWriter) -> None:
        await until_well(writer)
        await eventually(lambda: writer._producer is not None, "its producer")
        with pytest.raises(AppendFailed, match=type(error).__name__) as raised:
            await writer.append("topic", *RECORD)
        assert not isinstance(raised.value, RecordRefused)

    writing_to_kafka(settings, scenario)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (MessageSizeTooLargeError(), RecordRefused),
        (RecordListTooLargeError(), RecordRefused),
        (InvalidRecordError(), RecordRefused),
        (InvalidTimestampError(), AppendFailed),
        (PolicyViolationError(), AppendFailed),
        (NotLeaderForPartitionError(), AppendTimeout),
    ],
    ids=repr,
)
def test_only_a_fault_of_the_record_itself_is_a_refusal(
    settings: Settings, connects: Callable[..., None], error: Exception, failure: type[AppendFailed]
) -> None:
    connects(Producer(failing(error)))

    async def scenario(writer: KafkaWriter) -> None:
        await until_well(writer)
        with pytest.raises(AppendFailed) as raised:
            await writer.append("topic", *RECORD)
        assert type(raised.value) is failure

    writing_to_kafka(settings, scenario)


def test_giving_up_a_producer_does_not_hide_why(settings: Settings, connects: Callable[..., None]) -> None:
    first = Producer(hang)
    connects(first, UNFORESEEN)
    problems: list[str | None] = []

    async def scenario(writer: KafkaWriter) -> None:
        await until_well(writer)
        await eventually(lambda: writer._producer is not None, "its producer")
        futures = [writer.append("topic", *RECORD) for _ in range(2)]
        first.sent[0].failure(NotLeaderForPartitionError("no leader"))
        first.sent[1].failure(IllegalStateError("Producer is closed forcefully."))
        problems.append(writer.problem())
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert [type(result) for result in results] == [AppendTimeout, AppendTimeout]
        assert all("NotLeaderForPartition" in str(result) for result in results)

    writing_to_kafka(settings, scenario)
    assert "NotLeaderForPartition" in (problems[0] or "")


def test_the_records_of_one_turn_of_the_loop_wake_the_producer_once(
    settings: Settings, connects: Callable[..., None]
) -> None:
    producer = Producer(hang)
    connects(producer)

    async def scenario(writer: KafkaWriter) -> None:
        await until_well(writer)
        await eventually(lambda: writer._producer is not None, "its producer")
        for _ in range(2):
            futures = [writer.append("topic", *RECORD) for _ in range(3)]
            await asyncio.sleep(0)
        assert producer.wake_ups == [3, 6]
        for future in futures:
            future.cancel()

    writing_to_kafka(settings, scenario)


def test_in_trouble_the_producer_is_woken_without_new_records(
    settings: Settings, connects: Callable[..., None]
) -> None:
    producer = Producer(failing(NotLeaderForPartitionError("no leader")))
    connects(producer)

    async def scenario(writer: KafkaWriter) -> None:
        await until_well(writer)
        with pytest.raises(AppendTimeout):
            await writer.append("topic", *RECORD)
        await eventually(lambda: producer.wake_ups[:2] == [1, 1], "a second wake-up")

    writing_to_kafka(settings, scenario)
