"""What broken disks and foreign producers put into Kafka: landed, or set aside with its reason and offset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, KafkaAdminClient

from ingest.event_log.base import Partition
from ingest.landed_files import landed_files
from ingest.lander import land
from ingest.raw_store import open_store
from ingest.records import Topic
from ingest.settings import Settings
from ingest.verify import verify
from tests.integration.broken_batches import (
    break_batches,
    claim_codec,
    claim_long_record,
    claim_more_records,
    flip_a_bit,
)
from tests.integration.lander_process import append_events
from tests.kafka_broker import Broker
from tests.unit.memory_landing import logged

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

EVENTS = Topic.EVENTS.value
LARGE = 5 * 1024 * 1024


class NotText(str):
    """A header name that is no text: other clients may write such names."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


@pytest.fixture
def settings(fragile_kafka: Broker, tmp_path: Path) -> Settings:
    """A log with one record in the one partition of each of our topics."""
    settings = Settings(
        data_dir=tmp_path,
        event_log_url=fragile_kafka.url,
        kafka_partitions=1,
        append_timeout_seconds=10.0,
        lander_port=0,
    )
    append_events(settings, 2)
    return settings


@pytest.fixture
def producer(settings: Settings) -> Iterator[KafkaProducer]:
    """Somebody else's producer, that takes 5 MB in one piece."""
    producer = KafkaProducer(bootstrap_servers=address(settings), max_request_size=2 * LARGE, linger_ms=300)
    yield producer
    producer.close()


def address(settings: Settings) -> str:
    return settings.log_url.removeprefix("kafka://")


def send_batch(producer: KafkaProducer, *values: bytes | None, **named: Any) -> list[int]:
    """Send these values in one batch; their offsets."""
    sent = [producer.send(EVENTS, value, partition=0, **named) for value in values]
    producer.flush()
    return [each.get(timeout=10).offset for each in sent]


def land_rows(settings: Settings) -> dict[int, dict[str, Any]]:
    """Land all there is, prove that each offset is landed once, and return the rows of events by offset."""
    land(settings, once=True)
    assert verify(settings, deep=True).problems == ()
    rows = [
        row
        for file in landed_files(open_store(settings), EVENTS)
        for row in pq.ParquetFile(settings.raw_dir / file.name).read().to_pylist()
    ]
    assert [row["log_offset"] for row in rows] == list(range(len(rows)))
    return {row["log_offset"]: row for row in rows}


BROKEN = {
    "a bit that flipped": flip_a_bit,
    "a head that lies": claim_more_records,
    "a record longer than its batch": claim_long_record,
    "gzip that is none": claim_codec(1),
    "snappy that is none": claim_codec(2),
    "lz4 that is none": claim_codec(3),
    "zstd that is none": claim_codec(4),
    "a codec that there is not": claim_codec(7),
}
RECORDS = {"a bit that flipped": 150, "zstd that is none": 3, "a record longer than its batch": 2}
"""In the batches of more than one."""


def test_batches_that_broke_on_the_brokers_disk_are_rows_with_the_fault_and_nothing_else_is_lost(
    settings: Settings, producer: KafkaProducer, fragile_kafka: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broken: dict[int, str] = {}
    whole: dict[int, bytes] = {}
    for fault in BROKEN:
        [good, also_good] = send_batch(producer, b"good", b"also good")
        whole |= {good: b"good", also_good: b"also good"}
        broken |= dict.fromkeys(send_batch(producer, *[b"broken"] * RECORDS.get(fault, 1)), fault)
    [last] = send_batch(producer, b"last")
    whole[last] = b"last"
    heads = {min(at for at, name in broken.items() if name == fault): how for fault, how in BROKEN.items()}
    break_batches(fragile_kafka, Partition(EVENTS, 0), heads)
    rows = land_rows(settings)
    for offset, fault in broken.items():
        assert f"can not be read at offset {offset}" in rows[offset]["landing_error"], fault
        assert rows[offset]["body"] is None
    assert {offset: rows[offset]["body"].encode() for offset in whole} == whole
    assert len(rows) == 1 + len(broken) + len(whole)
    assert len(logged(caplog, "landed a row without its record")) == len(BROKEN)


def test_what_foreign_producers_may_write_is_landed_as_it_is(
    settings: Settings, producer: KafkaProducer
) -> None:
    with KafkaAdminClient(bootstrap_servers=address(settings)) as admin:
        admin.alter_configs([ConfigResource("TOPIC", EVENTS, {"max.message.bytes": str(2 * LARGE)})])
    large = os.urandom(LARGE // 2).hex().encode()
    [tombstone] = send_batch(producer, None, key=b"key")
    [odd] = send_batch(producer, b"", key=b"\xff", headers=[("", b""), (NotText(), b"\xfe")])
    [huge] = send_batch(producer, large)
    [after] = send_batch(producer, b"small")
    rows = land_rows(settings)
    assert rows[tombstone]["landing_error"].startswith("no value")
    assert rows[odd]["body"] == ""
    assert rows[odd]["headers_other"] == [
        {"name": "", "value": b""},
        {"name": r"\xff\xfe", "value": b"\xfe"},
    ]
    assert rows[huge]["body"].encode() == large
    assert rows[after]["body"] == "small"


def test_a_header_whose_name_is_no_text_costs_no_record_of_its_batch(
    settings: Settings, producer: KafkaProducer
) -> None:
    for number in range(5):
        headers = [(NotText(), b"")] if number == 2 else []
        producer.send(EVENTS, b"%d" % number, partition=0, headers=headers)
    producer.flush()
    rows = land_rows(settings)
    assert [row["body"] for row in rows.values()][1:] == ["0", "1", "2", "3", "4"]
