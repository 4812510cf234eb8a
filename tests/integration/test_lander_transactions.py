"""Foreign producers write in transactions: the markers are offsets without a record, and land as such."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer

from ingest.landed_files import landed_files
from ingest.lander import land
from ingest.raw_store import open_store
from ingest.records import Topic
from ingest.settings import Settings
from ingest.verify import verify
from tests.integration.lander_process import append_events, running_lander, wait_until

pytestmark = pytest.mark.kafka

EVENTS = Topic.EVENTS.value


@pytest.fixture
def settings(kafka_url: str, tmp_path: Path) -> Settings:
    """A log with one record in the one partition of each of our topics."""
    settings = Settings(
        data_dir=tmp_path,
        event_log_url=kafka_url,
        kafka_partitions=1,
        append_timeout_seconds=10.0,
        land_max_age_seconds=3600,
        lander_port=0,
    )
    append_events(settings, 2)
    return settings


@pytest.fixture
def producer(settings: Settings) -> Iterator[KafkaProducer]:
    """A producer that only writes in transactions."""
    address = settings.log_url.removeprefix("kafka://")
    producer = KafkaProducer(bootstrap_servers=address, transactional_id="foreign", compression_type="lz4")
    producer.init_transactions()
    yield producer
    producer.close()


def spans(settings: Settings) -> list[tuple[int, int]]:
    return [(file.first_offset, file.last_offset) for file in landed_files(open_store(settings), EVENTS)]


def landed_until(settings: Settings) -> int:
    """The newest offset that is landed; -1 before there is one."""
    return max((last for _, last in spans(settings)), default=-1)


def send(producer: KafkaProducer, records: int) -> None:
    producer.begin_transaction()
    for number in range(records):
        producer.send(EVENTS, b'{"number":%d}' % number, partition=0)


def test_a_marker_at_the_end_of_the_log_is_landed_and_proved(
    settings: Settings, producer: KafkaProducer
) -> None:
    send(producer, 3)
    producer.commit_transaction()
    assert land(settings, once=True).rows == 5
    assert spans(settings) == [(0, 4)]
    assert verify(settings, deep=True).problems == ()


def test_a_marker_that_comes_after_its_records_were_landed_is_a_file_without_rows(
    settings: Settings, producer: KafkaProducer
) -> None:
    with running_lander(settings.model_copy(update={"land_max_age_seconds": 0.2})) as lander:
        send(producer, 3)
        producer.flush()
        wait_until(lambda: landed_until(settings) == 3, "the records")
        producer.abort_transaction()
        wait_until(lambda: spans(settings)[-1] == (4, 4), "the marker")
        wait_until(lambda: verify(settings, deep=True).ok, "the proof")
        append_events(settings, 10)
        wait_until(lambda: landed_until(settings) == 13, "what was appended behind it")
        assert lander.terminate() == 0
    report = verify(settings, deep=True)
    assert report.problems == ()
    assert sum(partition.rows for partition in report.partitions) == 2 + 3 + 10
