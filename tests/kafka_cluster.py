"""Three real Kafka brokers that form one cluster, to lose one of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.kafka_broker import Broker, Quorum
from tests.kafka_jars import BrokerUnavailable, kafka_jars

BROKERS: Final = 3
_PATIENCE_SECONDS: Final = 60.0


class Cluster:
    """Brokers of one cluster, each with its data in a folder of its own below `folder`."""

    def __init__(self, folder: Path) -> None:
        kafka_jars()  # once, before all of them want to fetch the jars
        quorum = Quorum.of(BROKERS)
        with ThreadPoolExecutor(BROKERS) as pool:
            made = pool.map(lambda node: Broker(folder / str(node), quorum, node), range(1, BROKERS + 1))
            self.brokers = tuple(made)

    @property
    def address(self) -> str:
        """All brokers, comma-separated."""
        return ",".join(broker.address for broker in self.brokers)

    @property
    def url(self) -> str:
        """The cluster as a value of ASLEEP_EVENT_LOG_URL."""
        return f"kafka://{self.address}"

    def heal(self) -> None:
        """Start the brokers that are not running, make the others go on, and wait until all serve."""
        away = [broker for broker in self.brokers if not broker.is_running]
        for broker in self.brokers:
            if broker in away:
                broker.kill()
                broker.launch()
            else:
                broker.resume()
        for broker in away:
            broker.wait_until_started()

    def wait_until_in_sync(self) -> None:
        """Return once every partition of every topic has all its replicas in sync."""
        from kafka.admin import KafkaAdminClient  # noqa: PLC0415  conftest.py quietens it first

        deadline = time.monotonic() + _PATIENCE_SECONDS
        with KafkaAdminClient(bootstrap_servers=self.address) as admin:
            while lagging := [
                f"{topic['name']}-{partition['partition_index']}"
                for topic in admin.describe_topics()
                for partition in topic["partitions"]
                if len(partition["isr_nodes"]) < len(partition["replica_nodes"])
            ]:
                if time.monotonic() > deadline:
                    raise BrokerUnavailable(f"never in sync again: {', '.join(lagging)}")
                time.sleep(0.05)

    def kill(self) -> None:
        """Kill every broker."""
        for broker in self.brokers:
            broker.kill()


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """A started cluster, killed at the end; raises BrokerUnavailable."""
    cluster = Cluster(folder)
    try:
        cluster.heal()
        yield cluster
    finally:
        cluster.kill()
