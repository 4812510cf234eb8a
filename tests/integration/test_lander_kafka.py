"""The lander on a real broker: what a Kafka log may do to it that the embedded one does not."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from ingest.landed_files import landed_files
from ingest.lander import land
from ingest.positions import LogRecreated
from ingest.raw_store import open_store
from ingest.records import Topic
from ingest.settings import Settings
from ingest.verify import verify
from tests.integration.lander_process import append_events, assert_each_landed_once
from tests.kafka_broker import forget_everything

pytestmark = pytest.mark.kafka


@pytest.fixture
def settings(kafka_url: str, tmp_path: Path) -> Settings:
    """A cluster without topics of ours; one partition a topic."""
    return Settings(
        data_dir=tmp_path, event_log_url=kafka_url, kafka_partitions=1, append_timeout_seconds=10.0
    )


def address(settings: Settings) -> str:
    return settings.log_url.removeprefix("kafka://")


def spans(settings: Settings) -> list[tuple[int, int]]:
    files = landed_files(open_store(settings), Topic.EVENTS.value)
    return [(file.first_offset, file.last_offset) for file in files]


def test_the_files_decide_where_to_go_on_whatever_the_group_has_committed(
    settings: Settings, tmp_path: Path
) -> None:
    receipts = append_events(settings, 40)
    assert land(settings, once=True).rows == 40
    second = tmp_path / "second"
    other = settings.model_copy(update={"data_dir": second})
    assert land(other, once=True).rows == 40
    receipts += append_events(settings, 20)
    assert land(settings, once=True).rows == 20
    assert_each_landed_once(settings, receipts, tmp_path)


def test_what_retention_took_is_recorded_and_landing_goes_on(settings: Settings) -> None:
    append_events(settings, 10)
    land(settings, once=True)
    append_events(settings, 20)
    with KafkaAdminClient(bootstrap_servers=address(settings)) as admin:
        admin.delete_records({TopicPartition(Topic.EVENTS.value, 0): 14})
    land(settings, once=True)
    assert spans(settings) == [(0, 8), (14, 26)]
    [problem] = verify(settings).problems
    assert problem.startswith("asleep.events[0]@9..13: the log dropped these")


def test_a_topic_made_anew_stops_the_lander(settings: Settings) -> None:
    append_events(settings, 30)
    land(settings, once=True)
    forget_everything(address(settings))
    append_events(settings, 10)
    with pytest.raises(LogRecreated, match=r"ends at offset \d+, but all before \d+ was landed"):
        land(settings, once=True)
    assert any("beyond the end of the log" in problem for problem in verify(settings).problems)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_records_of_foreign_producers_are_landed_as_they_are(settings: Settings, codec: str) -> None:
    receipts = append_events(settings, 10)
    producer = KafkaProducer(bootstrap_servers=address(settings), compression_type=codec, linger_ms=50)
    topic = Topic.EVENTS.value
    producer.send(topic, value=None, key=b"tombstone")
    producer.send(topic, value=b"\xff\x00", headers=[("traceparent", b"\xfe"), ("received_at", b"noon")])
    producer.send(topic, value=b"text", timestamp_ms=0)
    producer.close()
    land(settings, once=True)
    [file] = landed_files(open_store(settings), topic)
    *ours, tombstone, binary, text = pq.ParquetFile(settings.raw_dir / file.name).read().to_pylist()
    assert len(receipts) == len(ours) + 1
    assert all(row["landing_error"] is None for row in ours)
    assert tombstone["landing_error"].startswith("no value")
    assert (binary["body"], binary["body_bytes"]) == (None, b"\xff\x00")
    assert {"name": "traceparent", "value": b"\xfe"} in binary["headers_other"]
    assert "received_at: no moment" in binary["landing_error"]
    assert (text["body"], text["log_appended_at"].year) == ("text", 1970)
    assert verify(settings, deep=True).ok
