"""Puts our decoder of record batches in the place of the client's own, which is several times as slow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.abc import ABCRecordBatch
from kafka.record.memory_records import MemoryRecords

from ingest.event_log.kafka_headers import HeaderReader
from ingest.event_log.kafka_records import BatchHead, decode
from ingest.event_log.split_record import SplitRecord


def decode_quickly(consumer: KafkaConsumer) -> None:
    """Make the consumer return SplitRecords, several times as fast; the same records, and the same errors.

    But header names that are not UTF-8, of which the client can not read the record, come escaped. The
    consumer must have no deserializers; it reads uncommitted records, too.
    """
    fetcher = consumer._fetcher  # noqa: SLF001  the client has no setting for it
    fetcher.PartitionRecords = partial(FetchedRecords, HeaderReader())


def broken_until(consumer: KafkaConsumer, position: int) -> int:
    """The last offset of the batch at which the consumer just failed, reading from `position` on.

    A batch that does not decode has a head that may be wrong, too: where it does not agree with itself, or is
    not of the position, no more is believed than that the record there is broken.
    """
    fetched = consumer._fetcher._next_partition_records  # noqa: SLF001  it stays there after a failure
    batch = fetched.batch if isinstance(fetched, FetchedRecords) else None
    if batch is None or batch.magic != 2:
        return position
    agrees = batch.records_count == batch.last_offset_delta + 1
    last: int = batch.last_offset
    return last if agrees and batch.base_offset <= position <= last else position


class FetchedRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # kafka-python has no types
    """What was fetched of one partition, batch by batch; any batch that is not plain the client decodes."""

    next_fetch_offset: int
    batch: ABCRecordBatch | None = None
    """The one that is being decoded, or was the last."""

    def __init__(self, headers: HeaderReader, *given: Any, **named: Any) -> None:
        self._headers = headers
        self._is_inside_a_batch = False
        super().__init__(*given, **named)

    def take(self, n: int | None = None) -> list[SplitRecord]:
        """The next records, at most `n`; raises what the client raises, at the same record."""
        records: list[SplitRecord] = super().take(n)
        if records and self._is_inside_a_batch:
            self.next_fetch_offset = records[-1].offset + 1
        return records

    def _unpack_records(
        self, tp: TopicPartition, records: MemoryRecords, *_: object
    ) -> Iterator[SplitRecord]:
        return chain.from_iterable(self._batches(tp, records))

    def _batches(self, tp: TopicPartition, records: MemoryRecords) -> Iterator[Iterable[SplitRecord]]:
        last = None
        while (batch := records.next_batch()) is not None:
            last = self.batch = batch
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"Record batch at offset {batch.base_offset} failed crc check")
            if batch.magic == 2:
                self.leader_epoch = batch.leader_epoch
                if batch.is_control_batch:
                    self.next_fetch_offset = batch.next_offset
                    continue
            decoded = self._decode(tp, batch)
            if decoded:
                self._is_inside_a_batch = True
                yield decoded
                self._is_inside_a_batch = False
                self.next_fetch_offset = decoded[-1].offset + 1
            else:
                yield self._client_decodes(tp, batch)
        if last is not None and last.magic == 2:
            # Behind the batch, even where the log no longer has its last records.
            self.next_fetch_offset = last.next_offset
        self.drain()

    def _decode(self, tp: TopicPartition, batch: ABCRecordBatch) -> list[SplitRecord] | None:
        if batch.magic != 2:
            return None
        head = BatchHead(
            tp.topic,
            tp.partition,
            batch.records_count,
            batch.base_offset,
            batch.first_timestamp,
            batch.max_timestamp if batch.timestamp_type == batch.LOG_APPEND_TIME else None,
        )
        plain = iter(batch)  # uncompressed from here on
        data = bytes(memoryview(plain._buffer)[plain._pos :])  # noqa: SLF001  nothing public gives the bytes
        self.bytes_read += len(data)
        self.records_read += batch.records_count
        return decode(head, data, self._headers)

    def _client_decodes(self, tp: TopicPartition, batch: ABCRecordBatch) -> Iterator[SplitRecord]:
        for record in batch:
            if self.check_crcs and not record.validate_crc():
                raise CorruptRecordError(f"Record at offset {record.offset} failed crc check")
            self.next_fetch_offset = record.offset + 1
            yield SplitRecord(
                tp.topic,
                tp.partition,
                record.offset,
                record.timestamp,
                record.key,
                record.value,
                tuple(name for name, _ in record.headers),
                tuple(value for _, value in record.headers),
            )
