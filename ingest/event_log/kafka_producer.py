"""How we set up a Kafka producer, and how we are rid of one."""

from __future__ import annotations

import logging
import threading
import time
from functools import lru_cache
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError
from kafka.partitioner import DefaultPartitioner, murmur2
from kafka.structs import TopicPartition

from ingest.event_log.base import LogUnavailable
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
    """KafkaProducer with a short way for records like ours: keyed, small, all bytes.

    The long way checks and sizes every header three times, which costs more than encoding the record.
    """

    def send(self, topic: str, value: bytes, key: bytes | None, headers: Headers) -> Any:
        """Hand over a record: its future of kafka-python, or what KafkaProducer.send raises."""
        try:
            return self._hand_over(topic, value, key, headers)
        except KeyError as error:
            # kafka-python's thread may drop a topic between any two looks at it.
            raise UnknownTopicOrPartitionError(topic) from error

    def _hand_over(self, topic: str, value: bytes, key: bytes | None, headers: Headers) -> Any:
        cluster = self._metadata
        if (
            key is None
            or len(key) + len(value) > _SURELY_SMALL_BYTES
            or cluster.partitions_for_topic(topic) is None
        ):
            return super().send(topic, value, key, headers)
        number = self.config["partitioner"].partition(topic, key, key, value, value, cluster)
        if number is None:
            raise UnknownTopicOrPartitionError(topic)
        future, batch_is_full, is_new_batch, _ = self._accumulator.append(
            _topic_partition(topic, number), None, key, value, headers
        )
        if batch_is_full or is_new_batch:
            self._sender.wakeup()
        return future

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
        # Records gather while the batch before them is on its way: measured, lingering only adds latency.
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
