"""Writing to Kafka: a producer called from the event loop, and a thread that keeps it connected."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from typing import Final

from kafka.errors import (
    IllegalStateError,
    InvalidRecordError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    RetriableError,
)

from ingest.event_log.appends import Append, Appends
from ingest.event_log.base import AppendFailed, AppendTimeout, EventLogError, Position, RecordRefused
from ingest.event_log.kafka_batches import Ends, Record
from ingest.event_log.kafka_cluster import CONNECT_SECONDS, ensure_topics, servers
from ingest.event_log.kafka_producer import QuickProducer, connected_producer, retire
from ingest.records import Headers
from ingest.settings import Settings

_log = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 0.1

_FAULTS_OF_A_RECORD: Final = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidRecordError)
"""Of a record alone: larger than the topic or its segments take, or not as the topic wants its records.

A timestamp that the broker refuses is no such fault: it is our clock's, or the broker's, and hits all alike.
"""


class KafkaWriter:
    """Appends to Kafka, acknowledged by every replica in sync.

    Records are handed over on the event loop: with max_block_ms=0 that fails where it would wait. What has to
    wait (connecting, creating topics, closing) runs in a thread, which also replaces a producer that
    acknowledges nothing any more: after some faults of the cluster kafka-python's never recovers.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = f"Kafka at {','.join(servers(settings))}"
        self._problem: str | None = f"{self._name}: connecting"
        self._troubled_since: float | None = None
        self._appends = Appends(settings.append_timeout_seconds, self._timed_out)
        self._producer: QuickProducer | None = None
        self._ends = Ends(self._acknowledged, self._refused)
        self._is_waking = False
        self._waiting: deque[Record] = deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep_connected, name="event-log-writer", daemon=True)

    def start(self) -> None:
        """Connect in the background, and create absent topics, however long that takes."""
        self._loop = asyncio.get_running_loop()
        self._appends.start()
        self._thread.start()

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> asyncio.Future[Position]:
        """Append one record; see EventLogWriter. Without a connection it waits for one until it times out."""
        record = (self._appends.new(), topic, key, value, headers)
        producer = self._producer
        if producer is not None:
            self._send(producer, record)
        else:
            while self._waiting and self._waiting[0][0].done():
                self._waiting.popleft()
            self._waiting.append(record)
        return record[0]

    def problem(self) -> str | None:
        """Why appends would fail now, in words, or None while the log is well."""
        return self._problem

    async def close(self) -> None:
        """Wait for the appends in flight, then disconnect."""
        await self._appends.close()
        self._closing.set()
        await asyncio.to_thread(self._thread.join, 2 * CONNECT_SECONDS)
        self._problem = f"{self._name}: the writer has ended"

    def _send(self, producer: QuickProducer, record: Record) -> None:
        future = record[0]
        if future.done():
            return
        try:
            if producer.hand_over(record, self._ends) and not self._is_waking:
                # One wake-up for all that this turn of the loop brings: it would find but the first of it.
                self._is_waking = True
                self._loop.call_soon(self._wake)
        except (*_FAULTS_OF_A_RECORD, ValueError) as error:
            # The fault of this record alone: the log is as well as before.
            refusal = RecordRefused(f"{self._name}: {type(error).__name__}: {error}")
            self._appends.settle(((future, refusal),))
        except KafkaError as error:
            self._fail(future, AppendFailed, error)
        except Exception as error:  # noqa: BLE001  the caller is promised that an append ends with AppendFailed
            if self._problem is None:
                _log.critical("a fault of ours in sending to %s", self._name, exc_info=True)
            self._fail(future, AppendFailed, error)

    def _wake(self) -> None:
        self._is_waking = False
        if self._producer is not None:
            self._producer.wake()

    def _acknowledged(self, appends: list[tuple[Append, Position]]) -> None:
        if self._problem is not None:
            self._problem = self._troubled_since = None
        self._appends.settle(appends)

    def _refused(self, future: Append, error: Exception) -> None:
        if isinstance(error, _FAULTS_OF_A_RECORD):
            # After it kafka-python's producer may refuse every record, and is replaced unless it acknowledges
            # another one soon.
            self._fail(future, RecordRefused, error)
            return
        # What can be tried again was tried until its time was up; an illegal state is a producer we gave up.
        out_of_time = isinstance(error, (RetriableError, IllegalStateError))
        self._fail(future, AppendTimeout if out_of_time else AppendFailed, error)

    def _fail(self, future: Append, failure: type[AppendFailed], error: Exception) -> None:
        # An illegal state follows from our own giving up a producer: why we did says more.
        problem = self._problem
        if problem is None or not isinstance(error, IllegalStateError):
            problem = self._trouble(f"{type(error).__name__}: {error}")
        self._appends.settle(((future, failure(problem)),))

    def _timed_out(self, text: str) -> None:
        # Whatever went wrong before says more than that the time was up.
        if self._problem is None:
            self._trouble(text)

    def _trouble(self, text: str) -> str:
        if self._troubled_since is None:
            self._troubled_since = time.monotonic()
        self._problem = problem = f"{self._name}: {text}"
        return problem

    def _keep_connected(self) -> None:
        while not self._closing.is_set():
            try:
                producer = self._connect()
                if producer is not None:
                    self._serve(producer)
                    continue
            except Exception as error:  # noqa: BLE001  a thread that ends would never connect again
                self._trouble(f"a fault of ours, trying again: {type(error).__name__}: {error}")
                _log.critical("%s", self._problem, exc_info=True)
            self._closing.wait(_RETRY_SECONDS)

    def _serve(self, producer: QuickProducer) -> None:
        """Append through this producer until it is of no more use."""
        self._problem = self._troubled_since = None
        self._loop.call_soon_threadsafe(self._use, producer)
        try:
            self._watch(producer)
        finally:
            if not self._closing.is_set():
                self._loop.call_soon_threadsafe(self._use, None)
            retire(producer)

    def _connect(self) -> QuickProducer | None:
        try:
            ensure_topics(self._settings)
            return connected_producer(self._settings, self._closing)
        except (KafkaError, EventLogError, OSError) as error:
            self._trouble(f"connecting: {type(error).__name__}: {error}")
            _log.warning("no connection to the event log: %s", self._problem)
            return None

    def _use(self, producer: QuickProducer | None) -> None:
        self._producer = producer
        while producer is not None and self._waiting:
            self._send(producer, self._waiting.popleft())

    def _watch(self, producer: QuickProducer) -> None:
        """Return once nothing was acknowledged for an append time-out after a failure, or at the end."""
        while not self._closing.wait(_LOOK_SECONDS):
            since = self._troubled_since
            if since is None:
                continue
            # A batch that fails does not always have the sender look for what has gathered behind it.
            producer.wake()
            if time.monotonic() - since > self._settings.append_timeout_seconds:
                _log.warning("the event log acknowledges nothing, connecting anew: %s", self._problem)
                return
