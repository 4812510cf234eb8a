"""Fills a log for the lander's benchmarks with records as the receiver appends them."""

from __future__ import annotations

import random
from typing import Final

from confluent_kafka import Producer
from rich.progress import track

from ingest.event_log.kafka_cluster import ensure_topics, servers
from ingest.records import ENVELOPE_VERSION, Header, Receipt, Topic, partition_key
from ingest.settings import Settings

BODY_BYTES: Final = 430
_USERS: Final = 5_000
_CALLS_OF_A_SESSION: Final = 40
_STAGES: Final = 1_000


def fill(settings: Settings, records: int) -> None:
    """Append so many records: bodies of BODY_BYTES, keys and ten headers as the receiver's, lz4 batches.

    confluent-kafka appends them, for it does so several times as fast; raises RuntimeError where it fails.
    """
    ensure_topics(settings)
    producer = Producer(
        {
            "bootstrap.servers": ",".join(servers(settings)),
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "lz4",
            "batch.size": 64 * 1024,
            "linger.ms": 20,
            "partitioner": "murmur2_random",
        }
    )
    chance = random.Random(7)
    nights = [bytes(chance.choices(b"01234", k=BODY_BYTES)) for _ in range(_STAGES)]
    for number in track(range(records), "appending"):
        _append(producer, number, nights[number % _STAGES])
        if number % 10_000 == 0:
            producer.poll(0)
    left = producer.flush(60)
    if left:
        raise RuntimeError(f"{left} records were not appended")


def _append(producer: Producer, number: int, night: bytes) -> None:
    receipt = Receipt.now()
    user = f"user-{number // _CALLS_OF_A_SESSION % _USERS:05}"
    session = f"20260129-{number // _CALLS_OF_A_SESSION:08}"
    head = f'{{"event":"SLEEP_STAGES","session_id":"{session}","stages":"'.encode()
    headers = {
        Header.RECEIPT_ID: receipt.receipt_id,
        Header.RECEIVED_AT: str(receipt.received_at_us),
        Header.PATH: "/webhook",
        Header.SIGNATURE: "none",
        Header.ENVELOPE: ENVELOPE_VERSION,
        Header.USER_ID: user,
        Header.REMOTE_ADDRESS: "203.0.113.7",
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
