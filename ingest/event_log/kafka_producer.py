"""How we set up a Kafka producer, and how we are rid of one."""

from __future__ import annotations

import logging
import threading
import time
from functools import lru_cache, partial
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import IllegalStateError, KafkaTimeoutError, UnknownTopicOrPartitionError
from kafka.partitioner import DefaultPartitioner, murmur2
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.structs import TopicPartition

from ingest.event_log.appends import Append
from ingest.event_log.base import LogUnavailable, Position
from ingest.event_log.kafka_batches import Ends, QuickBatch, Record
from ingest.event_log.kafka_cluster import CONNECT_SECONDS, connect, largest_record_bytes
from ingest.records import Headers, Topic
from ingest.settings import Settings

_log = logging.getLogger(__name__)

_REMEMBERED_KEYS: Final = 16_384
_SURELY_SMALL_BYTES: Final = 64 * 1024
"""A key and value below this, with headers that fit a call's head, are far from the largest request."""


class KeyPartitioner(DefaultPartitioner):  # type: ignore[misc]  # kafka-python has no types
    """As every Kafka client does by default, with the hashes of recent keys kept: they are made in Python."""

    def __init__(self) -> None:
        self._hash = lru_cache(_REMEMBERED_KEYS)(murmur2)

    def partition(  # noqa: PLR0913, PLR0917  the signature of kafka-python
        self,
        topic: str,
        key: bytes | None,
        serialized_key: bytes | None,
        value: bytes | None,
        serialized_value: bytes | None,
        cluster: Any,
    ) -> int | None:
        """The partition of a key; of a record without a key, any; None when the topic is gone."""
        if serialized_key is None:
            found: int = super().partition(topic, key, serialized_key, value, serialized_value, cluster)
            return found
        partitions = cluster.partitions_for_topic(topic)
        return None if partitions is None else (self._hash(serialized_key) & 0x7FFFFFFF) % len(partitions)


class QuickProducer(KafkaProducer):  # type: ignore[misc]  # kafka-python has no types
    """KafkaProducer with a short way for records like ours: keyed, small, all bytes; used from one thread.

    The long way checks and sizes every header three times, and makes a future of its own for each record:
    both cost more than encoding it.
    """

    def hand_over(self, record: Record, ends: Ends) -> bool:
        """Take a record, of whose end `ends` hears; raises what KafkaProducer.send raises.

        True where `wake` has to be called for it to be sent: once for as many records as there are.
        """
        append, topic, key, value, headers = record
        try:
            number = self._number(topic, key, value)
            if key is not None and number is not None:
                return self._put(_topic_partition(topic, number), append, (key, value, headers), ends)
            sent = self.send(topic, value, key, headers)
        except KeyError as error:
            # kafka-python's thread may drop a topic between any two looks at it.
            raise UnknownTopicOrPartitionError(topic) from error
        sent.add_callback(lambda at: ends.acknowledged([(append, Position(at[0], at[1], at.offset))]))
        sent.add_errback(partial(ends.refused, append))
        return False

    def wake(self) -> None:
        """Have what was handed over sent."""
        self._sender.wakeup()

    def _number(self, topic: str, key: bytes | None, value: bytes) -> int | None:
        """The partition of a record that goes the short way; None where it does not, or its topic is gone."""
        if key is None or len(key) + len(value) > _SURELY_SMALL_BYTES:
            return None
        number: int | None = self.config["partitioner"].partition(
            topic, key, key, value, value, self._metadata
        )
        return number

    def _put(self, place: Any, append: Append, content: tuple[bytes, bytes, Headers], ends: Ends) -> bool:
        """Do as RecordAccumulator.append does; True where a partition that is free has its first record."""
        accumulator = self._accumulator
        lock, queue = accumulator._tp_lock(place), accumulator._batches[place]  # noqa: SLF001  as `append` does
        with lock:
            if queue and type(queue[-1]) is QuickBatch and queue[-1].add(append, *content):
                return False
        # Who gives up all batches waits for this count: none may come behind its last look at them.
        in_progress = accumulator._appends_in_progress  # noqa: SLF001  as `append` does
        in_progress.increment()
        try:
            with lock:
                if accumulator._closed:  # noqa: SLF001  as `append` does
                    raise IllegalStateError("the producer is closed")
                options = accumulator.config
                records = MemoryRecordsBuilder(
                    options["message_version"], options["compression_attrs"], options["batch_size"]
                )
                batch = QuickBatch(place, records, ends)
                batch.add(append, *content)
                queue.append(batch)
                accumulator._incomplete.add(batch)  # noqa: SLF001  as `append` does
        finally:
            in_progress.decrement()
        # While a batch of the partition is on its way, its end wakes the sender.
        return place not in accumulator.muted

    def _partition(self, topic: str, *record: Any) -> int:
        """The partition of a record that goes the long way, which takes none at all for a wrong record."""
        number: int | None = super()._partition(topic, *record)
        if number is None:
            raise UnknownTopicOrPartitionError(topic)
        return number


@lru_cache(maxsize=1024)
def _topic_partition(topic: str, number: int) -> Any:
    return TopicPartition(topic, number)


def connected_producer(settings: Settings, given_up: threading.Event) -> QuickProducer:
    """A producer that knows our topics and whose `send` never waits.

    Raises KafkaError or LogUnavailable, the latter also once `given_up` is set.
    """
    timeout_ms = max(1000, int(settings.append_timeout_seconds * 1000))
    producer = connect(
        QuickProducer,
        settings,
        client_id="asleep-receiver",
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        # Records gather while the batch before them is on its way: measured, lingering only adds latency. So
        # a batch need not be full to be sent, and QuickProducer never says that it is.
        linger_ms=0,
        batch_size=64 * 1024,
        max_request_size=largest_record_bytes(settings),
        request_timeout_ms=timeout_ms,
        delivery_timeout_ms=timeout_ms,
        max_block_ms=0,
        allow_auto_create_topics=False,
        metadata_max_age_ms=10_000,
        metrics_enabled=False,
        partitioner=KeyPartitioner(),
    )
    deadline = time.monotonic() + CONNECT_SECONDS
    unknown = list(Topic)
    while unknown:
        try:
            producer.partitions_for(unknown[-1])
            unknown.pop()
        except KafkaTimeoutError as error:
            if given_up.wait(0.02) or time.monotonic() > deadline:
                retire(producer)
                raise LogUnavailable(f"the cluster tells nothing of topic {unknown[-1]}") from error
    return producer


def retire(producer: KafkaProducer) -> None:
    """Fail what a producer still holds, and end its thread."""
    producer._sender.force_close()  # noqa: SLF001  close() leaks the thread while a batch hangs
    try:
        producer.close(timeout=CONNECT_SECONDS)
    except KafkaTimeoutError as error:
        _log.warning("a Kafka producer did not end in time: %s", error)
