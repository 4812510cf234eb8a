"""The short way of a record into kafka-python does to the library what its own send does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, call, create_autospec

import pytest
from kafka import KafkaProducer
from kafka.errors import IllegalStateError, KafkaTimeoutError, UnknownTopicOrPartitionError
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.record.memory_records import MemoryRecords

from ingest.event_log.base import Position
from ingest.event_log.kafka_batches import Ends
from ingest.event_log.kafka_producer import KeyPartitioner, QuickProducer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.records import Headers

HEADERS: Headers = [("receipt_id", b"1"), ("twice", b"1"), ("twice", b""), ("\N{SNOWMAN}", b"\xff\x00")]
Record = tuple[str, bytes, bytes | None, "Headers"]
"""Topic, value, key, headers."""
KEYED: Record = ("topic", b'{"a": 1}', b"1:a:b", HEADERS)
LARGE: Record = ("topic", b"v" * 70_000, b"key", HEADERS)
NO_ENDS = Ends(Mock(), Mock())


def producer(kind: type[KafkaProducer]) -> Any:
    """A producer that is connected to nothing, over a real accumulator; its sender notes the wake-ups."""
    unconnected: Any = type(f"Unconnected{kind.__name__}", (kind,), {"__del__": lambda _: None})
    made = object.__new__(unconnected)
    made.config = KafkaProducer.DEFAULT_CONFIG | {
        "api_version": (4, 0),
        "max_block_ms": 0,
        "partitioner": KeyPartitioner(),
    }
    partitions = {"topic": {0, 1, 2, 3, 4, 5}}
    made._metadata = SimpleNamespace(
        partitions_for_topic=partitions.get,
        available_partitions_for_topic=partitions.get,
        topics=lambda: set(partitions),
        request_update=lambda: Mock(is_done=False),
    )
    made._sender = Mock()
    made._transaction_manager = None
    made._accumulator = RecordAccumulator(message_version=2, batch_size=600)
    made._closed = False
    return made


def hand_over(sending: QuickProducer, record: Record) -> bool:
    topic, value, key, headers = record
    return sending.hand_over((Mock(), topic, key, value, headers), NO_ENDS)


def batches_of(sending: Any) -> dict[Any, list[Any]]:
    """What is to be sent: by partition and number of the batch, its records."""
    batches = {}
    for place, batch_queue in sending._accumulator._batches.items():
        for number, batch in enumerate(batch_queue):
            batch.records.close()
            batches[place, number] = [
                (record.offset, record.key, record.value, record.headers)
                for records in MemoryRecords(batch.records.buffer())
                for record in records
            ]
    return batches


@pytest.fixture
def long_way(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """The library's own send, noting its calls."""
    spy: Mock = create_autospec(KafkaProducer.send, side_effect=KafkaProducer.send)
    monkeypatch.setattr(KafkaProducer, "send", spy)
    return spy


def test_the_short_way_fills_the_same_batches_and_asks_for_the_sender_at_the_first_record_of_each() -> None:
    records = [("topic", b"%d" % number * 20, b"key %d" % (number % 9), HEADERS) for number in range(60)]
    short, long = producer(QuickProducer), producer(KafkaProducer)
    asked = [hand_over(short, record) for record in records]
    for record in records:
        long.send(*record)
    batches = batches_of(short)
    assert batches == batches_of(long)
    assert asked.count(True) == len(batches) < len(records)
    assert not short._sender.wakeup.called


def test_a_partition_with_a_batch_on_its_way_needs_no_wake_up() -> None:
    sending = producer(QuickProducer)
    sending._accumulator.muted = {("topic", number) for number in range(6)}
    assert hand_over(sending, KEYED) is False
    assert len(batches_of(sending)) == 1


def test_a_record_of_the_long_way_opens_a_batch_of_its_own_between_those_of_the_short_way() -> None:
    sending = producer(QuickProducer)
    for record in (KEYED, KEYED, LARGE, KEYED):
        hand_over(sending, ("topic", record[1], b"key", HEADERS))
    (queue,) = sending._accumulator._batches.values()
    assert [batch.record_count for batch in queue] == [2, 1, 1]


def test_a_keyed_record_takes_the_short_way(long_way: Mock) -> None:
    hand_over(producer(QuickProducer), KEYED)
    assert not long_way.called


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(("topic", b"value", None, HEADERS), id="without a key"),
        pytest.param(LARGE, id="large"),
    ],
)
def test_any_other_record_takes_the_long_way(long_way: Mock, record: Record) -> None:
    sending = producer(QuickProducer)
    assert hand_over(sending, record) is False
    assert long_way.mock_calls == [call(sending, *record)]
    assert sending._sender.wakeup.called


def test_the_end_of_a_record_that_took_the_long_way_is_told_too() -> None:
    sending = producer(QuickProducer)
    acknowledged, refused = Mock(), Mock()
    futures: list[Any] = [Mock(), Mock()]
    for future in futures:
        sending.hand_over((future, "topic", b"key", b"v" * 70_000, HEADERS), Ends(acknowledged, refused))
    ((place, batches),) = sending._accumulator._batches.items()
    error = UnknownTopicOrPartitionError("topic")
    batches[0].complete(7, -1)
    batches[1].complete_exceptionally(error, lambda _: error)
    assert acknowledged.mock_calls == [call([(futures[0], Position("topic", place.partition, 7))])]
    assert refused.mock_calls == [call(futures[1], error)]


def _gone(sending: Any) -> None:
    sending._metadata.partitions_for_topic = lambda _: None


def _closed(sending: Any) -> None:
    sending._accumulator.close()


@pytest.mark.parametrize(("change", "error"), [(_gone, KafkaTimeoutError), (_closed, IllegalStateError)])
def test_what_the_library_refuses_is_refused(change: Callable[[Any], None], error: type[Exception]) -> None:
    sending = producer(QuickProducer)
    change(sending)
    with pytest.raises(error):
        hand_over(sending, KEYED)


def test_who_gives_up_all_batches_gives_up_those_of_the_short_way() -> None:
    sending = producer(QuickProducer)
    refused = Mock()
    futures: list[Any] = [Mock(), Mock()]
    for future in futures:
        sending.hand_over((future, "topic", b"key", b"value", HEADERS), Ends(Mock(), refused))
    sending._accumulator.close()
    sending._accumulator.abort_incomplete_batches()
    assert [each.args[0] for each in refused.mock_calls] == futures
    assert all(isinstance(each.args[1], IllegalStateError) for each in refused.mock_calls)


def test_no_batch_is_opened_behind_the_last_look_of_who_gives_up_all_batches() -> None:
    sending = producer(QuickProducer)
    accumulator = sending._accumulator
    accumulator._appends_in_progress = counted = Mock()
    counted.increment.side_effect = accumulator.close
    with pytest.raises(IllegalStateError):
        hand_over(sending, KEYED)
    assert batches_of(sending) == {}
    assert counted.mock_calls == [call.increment(), call.decrement()]


def _dropped_between_two_looks(answers: list[Any]) -> Any:
    """Metadata whose looks for partitions end so; the network thread changes it at any time."""

    def look(_: str) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look


@pytest.mark.parametrize(
    ("record", "answers"),
    [
        pytest.param(KEYED, [KeyError("topic")], id="short"),
        pytest.param(KEYED, [None, {0, 1}, None], id="short, then long"),
        pytest.param(LARGE, [{0, 1}, None, None], id="long, gone"),
        pytest.param(LARGE, [{0, 1}, KeyError("topic")], id="long"),
    ],
)
def test_a_topic_that_is_dropped_while_a_record_is_sent_takes_none_and_none_is_put_in_no_partition(
    record: Record, answers: list[Any]
) -> None:
    sending = producer(QuickProducer)
    sending._metadata.partitions_for_topic = _dropped_between_two_looks(answers)
    with pytest.raises(UnknownTopicOrPartitionError):
        hand_over(sending, record)
    assert not any(sending._accumulator._batches.values())


def test_a_topic_that_is_dropped_before_the_library_asks_for_its_name_is_unknown() -> None:
    sending = producer(QuickProducer)
    sending._metadata.topics = set
    with pytest.raises(UnknownTopicOrPartitionError):
        hand_over(sending, ("topic", b"value", None, HEADERS))
