"""One broker of three dies, and its partitions have no other replica: all the others are landed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from ingest.event_log.base import LogUnavailable, Partition
from ingest.landed_files import landed_files
from ingest.lander import land
from ingest.raw_store import open_store
from ingest.records import Topic
from ingest.settings import Settings
from tests.integration.lander_process import (
    append_events,
    assert_each_landed_once,
    running_lander,
    wait_until,
)
from tests.kafka_cluster import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

EVENTS = Topic.EVENTS.value


@pytest.fixture
def settings(kafka_cluster: Cluster, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        event_log_url=kafka_cluster.url,
        append_timeout_seconds=10.0,
        land_max_age_seconds=0.3,
        lander_port=0,
    )


def led_by(cluster: Cluster) -> dict[int, set[Partition]]:
    """The partitions of events by the number of the broker that leads them."""
    led: dict[int, set[Partition]] = {}
    with KafkaAdminClient(bootstrap_servers=cluster.address) as admin:
        for topic in admin.describe_topics([EVENTS]):
            for each in topic["partitions"]:
                led.setdefault(each["leader_id"], set()).add(Partition(EVENTS, each["partition_index"]))
    return led


def begun(settings: Settings) -> set[Partition]:
    return {file.source for file in landed_files(open_store(settings), EVENTS)}


def test_partitions_without_a_leader_wait_and_all_others_are_landed(
    settings: Settings, kafka_cluster: Cluster, tmp_path: Path
) -> None:
    receipts = append_events(settings, 300)
    led = led_by(kafka_cluster)
    *_, dead = kafka_cluster.brokers
    of_the_dead = led.pop(len(kafka_cluster.brokers))
    others = set().union(*led.values())
    dead.kill()
    with running_lander(settings) as lander:
        wait_until(lambda: begun(settings) == others, "the partitions that have a leader")
        wait_until(lambda: "not landed" in lander.get("/readyz")[1], "word of those that have none")
        problem = json.loads(lander.get("/readyz")[1])["problems"]["event_log"]
        assert all(f"{topic}[{number}]" in problem for topic, number in of_the_dead)
        assert not any(f"{topic}[{number}]" in problem for topic, number in others)
        with pytest.raises(LogUnavailable, match=r"asleep\.events"):
            land(settings, once=True)
        dead.start()
        wait_until(lambda: begun(settings) == others | of_the_dead, "the partitions of the dead broker")
        wait_until(lambda: lander.get("/readyz")[0] == 200, "a lander that is well")
        begun_at = [(each["topic"], each["partition"]) for each in lander.logged("reading a partition")]
        assert len(begun_at) == len(set(begun_at)), "it began anew meanwhile"
        lander.terminate()
    assert_each_landed_once(settings, receipts, tmp_path)
