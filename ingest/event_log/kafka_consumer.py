"""How we set up a Kafka consumer, and how one finds the record that stops another."""

from __future__ import annotations

from collections.abc import Mapping
from gzip import BadGzipFile
from typing import Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    CorruptRecordError,
    KafkaError,
    UnsupportedCodecError,
    UnsupportedCompressionTypeError,
)

from ingest.event_log.base import Partition, UnreadableRecord
from ingest.event_log.kafka_cluster import connect
from ingest.event_log.kafka_fetched import broken_until, decode_quickly
from ingest.settings import Settings

_FAULTS_OF_A_RECORD: Final = (
    CorruptRecordError,
    UnsupportedCodecError,
    UnsupportedCompressionTypeError,
    BadGzipFile,
)
"""What is said of a record that can not be read by errors of a kind that else is not a record's."""

_FAULTS_OF_OTHERS: Final = (KafkaError, OSError, MemoryError)

REQUEST_SECONDS: Final = 10.0
"""Longest wait for an answer of the cluster."""


def consumer(settings: Settings, group_id: str | None = None) -> KafkaConsumer:
    """A connected consumer without a subscription; raises KafkaError."""
    made = connect(
        KafkaConsumer,
        settings,
        group_id=group_id,
        client_id="asleep-lander",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
        # A topic created after we subscribed is found when the metadata is next refreshed.
        metadata_max_age_ms=5_000,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=1_000,
        request_timeout_ms=int(REQUEST_SECONDS * 1000),
        metrics_enabled=False,
    )
    decode_quickly(made)
    return made


def find_unreadable(settings: Settings, unread: Mapping[Partition, range]) -> UnreadableRecord | None:
    """Read each partition alone, and say which one fails, and where: the consumer of all can not.

    `unread` are the offsets from its position to before its end, one at least. What is broken is so up to the
    end of its batch. Raises KafkaError when the cluster fails.
    """
    for partition, offsets in unread.items():
        position = offsets[0]
        there = TopicPartition(*partition)
        alone = consumer(settings)
        try:
            alone.assign([there])
            alone.seek(there, position)
            alone.poll(timeout_ms=int(REQUEST_SECONDS * 1000), max_records=1)
        except Exception as error:
            # A broken record breaks decoding in any way it likes; the rest is of the cluster or the machine.
            if isinstance(error, _FAULTS_OF_A_RECORD) or not isinstance(error, _FAULTS_OF_OTHERS):
                last = min(broken_until(alone, position), offsets[-1])
                return UnreadableRecord(partition, position, error, last)
            raise
        finally:
            alone.close(autocommit=False)
    return None
