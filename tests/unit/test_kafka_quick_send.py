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

from ingest.event_log.kafka_producer import KeyPartitioner, QuickProducer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.records import Headers

HEADERS: Headers = [("receipt_id", b"1"), ("twice", b"1"), ("twice", b""), ("\N{SNOWMAN}", b"\xff\x00")]
Record = tuple[str, bytes, bytes | None, "Headers"]
"""Topic, value, key, headers."""
KEYED: Record = ("topic", b'{"a": 1}', b"1:a:b", HEADERS)


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


def what_it_did(kind: type[KafkaProducer], records: list[Record]) -> tuple[object, object]:
    """The batches that these records end in, as (partition, key, value, headers), and the wake-ups."""
    sending = producer(kind)
    futures = [sending.send(*record) for record in records]
    assert all(not future.is_done for future in futures)
    batches = {}
    for place, batch_queue in sending._accumulator._batches.items():
        for number, batch in enumerate(batch_queue):
            batch.records.close()
            batches[place, number] = [
                (record.offset, record.key, record.value, record.headers)
                for records in MemoryRecords(batch.records.buffer())
                for record in records
            ]
    return batches, sending._sender.wakeup.mock_calls


@pytest.fixture
def long_way(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """The library's own send, noting its calls."""
    spy: Mock = create_autospec(KafkaProducer.send, side_effect=KafkaProducer.send)
    monkeypatch.setattr(KafkaProducer, "send", spy)
    return spy


def test_the_short_way_fills_the_same_batches_and_wakes_the_sender_as_often() -> None:
    records = [("topic", b"%d" % number * 20, b"key %d" % (number % 9), HEADERS) for number in range(60)]
    batches, wake_ups = what_it_did(QuickProducer, list(records))
    assert (batches, wake_ups) == what_it_did(KafkaProducer, list(records))
    assert wake_ups


def test_a_keyed_record_takes_the_short_way(long_way: Mock) -> None:
    producer(QuickProducer).send(*KEYED)
    assert not long_way.called


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(("topic", b"value", None, HEADERS), id="without a key"),
        pytest.param(("topic", b"v" * 70_000, b"key", HEADERS), id="large"),
    ],
)
def test_any_other_record_takes_the_long_way(long_way: Mock, record: Record) -> None:
    sending = producer(QuickProducer)
    sending.send(*record)
    assert long_way.mock_calls == [call(sending, *record)]


def _gone(sending: Any) -> None:
    sending._metadata.partitions_for_topic = lambda _: None


def _closed(sending: Any) -> None:
    sending._accumulator.close()


@pytest.mark.parametrize(("change", "error"), [(_gone, KafkaTimeoutError), (_closed, IllegalStateError)])
def test_what_the_library_refuses_is_refused(change: Callable[[Any], None], error: type[Exception]) -> None:
    sending = producer(QuickProducer)
    change(sending)
    with pytest.raises(error):
        sending.send(*KEYED)


def _dropped_between_two_looks(answers: list[Any]) -> Any:
    """Metadata whose looks for partitions end so; the network thread changes it at any time."""

    def look(_: str) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look


@pytest.mark.parametrize("record", [KEYED, ("topic", b"v" * 70_000, b"key", HEADERS)], ids=["short", "long"])
@pytest.mark.parametrize("then", [None, KeyError("topic")], ids=repr)
def test_a_topic_that_is_dropped_while_a_record_is_sent_takes_none_and_none_is_put_in_no_partition(
    record: Record, then: Any
) -> None:
    sending = producer(QuickProducer)
    sending._metadata.partitions_for_topic = _dropped_between_two_looks([{0, 1}, then, then, then])
    with pytest.raises(UnknownTopicOrPartitionError):
        sending.send(*record)
    assert not any(sending._accumulator._batches.values())


def test_a_topic_that_is_dropped_before_the_library_asks_for_its_name_is_unknown() -> None:
    sending = producer(QuickProducer)
    sending._metadata.topics = set
    with pytest.raises(UnknownTopicOrPartitionError):
        sending.send("topic", b"value", None, HEADERS)
