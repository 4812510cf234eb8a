"""The event log's writer over confluent-kafka: what another client behind the same seam would give."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Final

from confluent_kafka import KafkaError, Message, Producer

from ingest.event_log.appends import Append, Appends, Outcome
from ingest.event_log.base import AppendFailed, Position
from ingest.event_log.kafka_cluster import ensure_topics, largest_record_bytes, servers
from ingest.records import Headers
from ingest.settings import Settings

_POLL_SECONDS: Final = 0.1


class ConfluentWriter:
    """As KafkaWriter, without its recovery from faults: for measurements only."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._appends = Appends(settings.append_timeout_seconds, lambda _: None)
        self._acknowledged: list[tuple[Append, Outcome]] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="event-log-writer", daemon=True)

    def start(self) -> None:
        """Connect, and create absent topics; this one does block."""
        ensure_topics(self._settings)
        self._producer = Producer(
            {
                "bootstrap.servers": ",".join(servers(self._settings)),
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 0,
                "message.max.bytes": largest_record_bytes(self._settings),
                "partitioner": "murmur2_random",
            }
        )
        self._appends.start()
        self._thread.start()

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> asyncio.Future[Position]:
        """Append one record; see EventLogWriter."""
        future = self._appends.new()
        delivered = partial(self._done, future)
        self._producer.produce(topic, value, key, headers=[*headers], on_delivery=delivered)
        return future

    def problem(self) -> str | None:
        """Nothing: the benchmark's log is well."""
        return None

    async def close(self) -> None:
        """Wait for the appends in flight, then disconnect."""
        await self._appends.close()
        self._closing.set()
        await asyncio.to_thread(self._thread.join)

    def _done(self, future: Append, error: KafkaError | None, message: Message) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        outcome: Outcome
        if error is None and topic is not None and partition is not None and offset is not None:
            outcome = Position(topic, partition, offset)
        else:
            outcome = AppendFailed(str(error))
        self._acknowledged.append((future, outcome))

    def _poll(self) -> None:
        while not self._closing.is_set():
            # All that was acknowledged meanwhile calls _done, in this thread.
            self._producer.poll(_POLL_SECONDS)
            acknowledged, self._acknowledged = self._acknowledged, []
            if acknowledged:
                self._appends.settle(acknowledged)
