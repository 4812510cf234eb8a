"""Every record of a quick batch has an end of its own, whatever becomes of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from kafka.errors import IllegalStateError, InvalidRecordError, KafkaError
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.structs import TopicPartition

from ingest.event_log.base import Position
from ingest.event_log.kafka_batches import Ends, QuickBatch

if TYPE_CHECKING:
    from ingest.event_log.appends import Append

PLACE = TopicPartition("topic", 3)


class Told:
    """Who hears of ends: by the number of the record, where it is or why it is nowhere; and how often."""

    def __init__(self) -> None:
        self.ends: dict[object, object] = {}
        self.calls = 0

    def acknowledged(self, appends: list[tuple[Append, Position]]) -> None:
        self.calls += 1
        self.ends.update(appends)

    def refused(self, append: Append, error: Exception) -> None:
        self.ends[append] = error


def batch_of(count: int, told: Told) -> QuickBatch:
    batch = QuickBatch(PLACE, MemoryRecordsBuilder(2, 0, 64 * 1024), Ends(told.acknowledged, told.refused))
    for number in range(count):
        assert batch.add(cast("Append", number), b"key", b"%d" % number, [("name", b"value")])
    return batch


def positions(*offsets: int) -> dict[object, object]:
    return {number: Position("topic", 3, offset) for number, offset in enumerate(offsets)}


def test_an_acknowledged_batch_tells_once_where_each_of_its_records_is() -> None:
    told = Told()
    batch_of(3, told).complete(40, -1)
    assert told.ends == positions(40, 41, 42)
    assert told.calls == 1


def test_of_a_batch_that_the_broker_had_already_no_offset_is_known() -> None:
    told = Told()
    batch_of(2, told).complete(-1, -1)
    assert told.ends == positions(-1, -1)


def test_each_record_of_a_failed_batch_has_its_own_error() -> None:
    told = Told()
    errors: list[Exception] = [KafkaError("another was wrong"), InvalidRecordError("no key")]
    batch_of(2, told).complete_exceptionally(InvalidRecordError(), errors.__getitem__)
    assert [told.ends[0], told.ends[1]] == errors


def test_every_record_of_an_abandoned_batch_fails() -> None:
    told = Told()
    error = IllegalStateError("closed")
    batch_of(2, told).abort(error)
    assert told.ends == {0: error, 1: error}


def test_a_batch_on_its_way_takes_no_record_and_one_without_room_neither() -> None:
    told = Told()
    closed = batch_of(1, told)
    closed.records.close()
    full = batch_of(1, told)
    assert not closed.add(cast("Append", 1), b"key", b"value", [])
    assert not full.add(cast("Append", 1), b"key", b"v" * 64 * 1024, [])
    for batch in (closed, full):
        batch.complete(7, -1)
        assert told.ends == positions(7)


def test_a_batch_takes_no_record_whose_sender_waits_for_a_future() -> None:
    batch: Any = batch_of(1, Told())
    assert batch.try_append(None, b"key", b"value", [], now=0.0) is None
    assert batch.record_count == 1


@pytest.mark.parametrize("divisions", [1, 2])
def test_the_records_of_a_divided_batch_end_with_the_parts(divisions: int) -> None:
    told = Told()
    accumulator: Any = RecordAccumulator(message_version=2, batch_size=64 * 1024)
    batch = batch_of(8, told)
    for _ in range(divisions):
        batch.records.close()
        accumulator.split_and_reenqueue(batch)
        batch = accumulator._batches[PLACE].popleft()
    error = KafkaError("too large")
    batch.complete_exceptionally(error, lambda _: error)
    end = 100
    for part in accumulator._batches[PLACE]:
        part.complete(end, -1)
        end += part.record_count
    lost = 8 >> divisions
    assert told.ends == dict.fromkeys(range(lost), error) | {
        number: Position("topic", 3, 100 + number - lost) for number in range(lost, 8)
    }
