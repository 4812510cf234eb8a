"""A batch of records that tells once how it ended, where kafka-python tells it record by record."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder

from ingest.event_log.appends import Append
from ingest.event_log.base import Position
from ingest.records import Headers

Record = tuple[Append, str, bytes | None, bytes, Headers]
"""An append: its future, topic, key, value, headers."""


class Ends(NamedTuple):
    """Who is told, in kafka-python's thread, how appends ended; `refused` gets errors of kafka-python."""

    acknowledged: Callable[[list[tuple[Append, Position]]], None]
    refused: Callable[[Append, Exception], None]


class QuickBatch(ProducerBatch):  # type: ignore[misc]  # kafka-python has no types
    """A batch of one partition, filled under the lock that its accumulator has for that partition."""

    def __init__(self, place: Any, records: MemoryRecordsBuilder, ends: Ends) -> None:
        super().__init__(place, records)
        self._ends = ends
        self.produce_future.add_callback(self._end)

    def try_append(self, *_: object, **__: object) -> None:
        """Take nothing, as if full: who brings a record in the library's own way wants a future of it."""

    def add(self, append: Append, key: bytes, value: bytes, headers: Headers) -> bool:
        """Take a record, unless there is no room for it or the batch is on its way."""
        if self.records.append(None, key, value, headers) is None:
            return False
        # Under this name the library finds what it moves to smaller batches.
        self._record_futures.append(_Sent(append, self._ends))
        return True

    def _end(self, result: tuple[int, int, Callable[[int], Exception] | None]) -> None:
        first_offset, _, error_of = result
        sent: list[_Sent] = self._record_futures
        if error_of is not None:
            for number, each in enumerate(sent):
                self._ends.refused(each.append, error_of(number))
            return
        topic, partition = self.topic_partition
        self._ends.acknowledged(
            [
                (each.append, Position(topic, partition, _offset(first_offset, number)))
                for number, each in enumerate(sent)
            ]
        )


class _Sent:
    """One record of a batch; where the library divides the batch, it is told of its own end."""

    __slots__ = ("_ends", "append")

    def __init__(self, append: Append, ends: Ends) -> None:
        self.append = append
        self._ends = ends

    def rebind(self, produced: Any, number: int) -> None:
        """Be number `number` of another batch, whose end is `produced`."""
        produced.add_callback(partial(self._end, produced.topic_partition, number))

    def _end(
        self, place: Any, number: int, result: tuple[int, int, Callable[[int], Exception] | None]
    ) -> None:
        first_offset, _, error_of = result
        if error_of is not None:
            self._ends.refused(self.append, error_of(number))
            return
        position = Position(place.topic, place.partition, _offset(first_offset, number))
        self._ends.acknowledged([(self.append, position)])


def _offset(first: int, number: int) -> int:
    # Of a batch that the broker had already, it does not tell where.
    return first if first < 0 else first + number
