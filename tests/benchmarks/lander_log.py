"""Fills a log for the lander's benchmarks with records as the receiver appends them."""

from __future__ import annotations

import random
from typing import Final, Self

from confluent_kafka import Producer
from rich.progress import track

from ingest.event_log.kafka_cluster import ensure_topics, servers
from ingest.records import ENVELOPE_VERSION, Header, Receipt, Topic, partition_key
from ingest.settings import Settings

BODY_BYTES: Final = 430
_USERS: Final = 5_000
_CALLS_OF_A_SESSION: Final = 40
_NIGHTS: Final = 1_000
_STEP: Final = 10_000


class Appending:
    """Appends records as the receiver's: keys, ten headers, bodies of BODY_BYTES, lz4 batches.

    confluent-kafka appends them, for it does so several times as fast. Topics that are absent are created.
    """

    def __init__(self, settings: Settings) -> None:
        ensure_topics(settings)
        self.records = 0
        self._producer = Producer(
            {
                "bootstrap.servers": ",".join(servers(settings)),
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "batch.size": 64 * 1024,
                "linger.ms": 20,
                "partitioner": "murmur2_random",
                "log_level": 3,
            }
        )
        chance = random.Random(7)
        self._nights = [bytes(chance.choices(b"01234", k=BODY_BYTES)) for _ in range(_NIGHTS)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def up_to(self, records: int) -> None:
        """Append until there are so many."""
        for number in range(self.records, records):
            _append(self._producer, number, self._nights[number % _NIGHTS])
        self._producer.poll(0)
        self.records = max(self.records, records)

    def flush(self) -> None:
        """Wait until all is acknowledged; raises RuntimeError."""
        left = self._producer.flush(60)
        if left:
            raise RuntimeError(f"{left} records were not appended")


def fill(settings: Settings, records: int) -> None:
    """Append so many records, and show how far it is; raises RuntimeError."""
    steps = [*range(_STEP, records, _STEP), records]
    with Appending(settings) as appending:
        for step in track(steps, "appending"):
            appending.up_to(step)


def _append(producer: Producer, number: int, night: bytes) -> None:
    receipt = Receipt.now()
    user = f"user-{number // _CALLS_OF_A_SESSION % _USERS}"
    session = f"20260129-{number // _CALLS_OF_A_SESSION:08}"
    head = f'{{"event":"SLEEP_STAGES","session_id":"{session}","stages":"'.encode()
    headers = {
        Header.RECEIPT_ID: receipt.receipt_id,
        Header.RECEIVED_AT: str(receipt.received_at_us),
        Header.PATH: "/webhook",
        Header.SIGNATURE: "none",
        Header.ENVELOPE: ENVELOPE_VERSION,
        Header.USER_ID: user,
        Header.REMOTE_ADDRESS: f"203.0.113.{number // _CALLS_OF_A_SESSION % 256}",
        Header.CONTENT_TYPE: "application/json",
        Header.EVENT: "SLEEP_STAGES",
        Header.SESSION_ID: session,
    }
    value = head + night[: BODY_BYTES - len(head) - 2] + b'"}'
    while True:
        try:
            producer.produce(
                Topic.EVENTS.value,
                value,
                partition_key(user, session),
                headers=[(name.value, text.encode()) for name, text in headers.items()],
            )
        except BufferError:  # the producer holds as much as it may
            producer.poll(1)
        else:
            return
