"""Three brokers, every record on two of them before it counts, and one of the three dies under load."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.settings import Settings
from tests.integration.campaign import prove_nothing_is_lost, wait_until_drained
from tests.integration.load import Load
from tests.integration.receiver_process import running_receiver
from tests.kafka_cluster import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.soak]


@pytest.fixture
def settings(kafka_cluster: Cluster, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        event_log_url=kafka_cluster.url,
        kafka_replication_factor=3,
        kafka_min_insync_replicas=2,
        stop_delay_seconds=0.0,
    )


def test_one_broker_of_three_that_dies_under_load_costs_no_event(
    settings: Settings, kafka_cluster: Cluster, soaking: bool
) -> None:
    deaths = 3 * kafka_cluster.brokers if soaking else kafka_cluster.brokers[:1]
    events = 2000 if soaking else 1000
    with running_receiver(settings) as receiver:
        with Load(lambda: receiver.port) as load:
            for broker in deaths:
                load.wait_for_more(events)
                broker.kill()
                load.wait_for_more(events)
                broker.start()
                kafka_cluster.wait_until_in_sync()
        wait_until_drained(settings)
    assert load.statuses() == {}
    assert load.unanswered == 0
    prove_nothing_is_lost(settings, load)
