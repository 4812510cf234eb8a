"""What writer and reader need of a Kafka cluster: its address, its identity, our topics."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final, TypeVar

from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError
from kafka.net.compat import KafkaNetClient

from ingest.event_log.base import LogUnavailable, Partition
from ingest.records import Topic
from ingest.settings import Settings

CONNECT_SECONDS: Final = 5.0
"""Longest wait for a first answer of the cluster."""

_Client = TypeVar("_Client")


def servers(settings: Settings) -> list[str]:
    """The brokers that `kafka://HOST:PORT,HOST:PORT` names."""
    return settings.log_url.removeprefix("kafka://").rstrip("/").split(",")


def largest_record_bytes(settings: Settings) -> int:
    """Bound of a record's size: a body, its session id again in header and key, the headers of the call."""
    return 3 * settings.max_body_bytes + 256 * 1024


def connect(client: Callable[..., _Client], settings: Settings, **configs: object) -> _Client:
    """Make a kafka-python client; one whose cluster does not answer leaves no threads or sockets behind.

    Raises KafkaError.
    """
    network: list[KafkaNetClient] = []

    def remember(**network_configs: object) -> KafkaNetClient:
        network.append(KafkaNetClient(**network_configs))
        return network[-1]

    try:
        return client(
            bootstrap_servers=servers(settings),
            bootstrap_timeout_ms=int(CONNECT_SECONDS * 1000),
            reconnect_backoff_max_ms=1000,
            kafka_client=remember,
            **{"request_timeout_ms": int(CONNECT_SECONDS * 1000), **configs},
        )
    except BaseException:
        for opened in network:
            opened.close()
        raise


def cluster_id(settings: Settings) -> str:
    """The cluster's own identity: 22 letters, digits, `_` or `-`. Raises KafkaError."""
    with connect(KafkaAdminClient, settings) as admin:
        found: str = admin.describe_cluster()["cluster_id"]
    return found


def ensure_topics(settings: Settings) -> None:
    """Create our topics where they are absent, with a leader for every partition when this returns.

    Raises KafkaError, or LogUnavailable when an existing topic takes smaller records than the settings allow.
    """
    with connect(KafkaAdminClient, settings) as admin:
        absent = set(Topic).difference(admin.list_topics())
        if absent:
            _create(admin, sorted(absent), settings)
        resources = [ConfigResource("TOPIC", topic, ["max.message.bytes"]) for topic in Topic]
        limits = admin.describe_configs(resources, config_filter="all")["topic"]
        for topic in Topic:
            # A broker may keep a topic's configuration to itself.
            limit = limits[topic].get("max.message.bytes")
            if limit is not None and int(limit["value"]) < largest_record_bytes(settings):
                raise LogUnavailable(
                    f"topic {topic} takes {limit['value']} bytes a record, ASLEEP_MAX_BODY_BYTES needs "
                    f"{largest_record_bytes(settings)}: raise the topic's max.message.bytes"
                )


def partitions_of(topics: Collection[str], settings: Settings) -> list[Partition]:
    """All partitions of these topics, in order; none of a topic that does not exist. Raises KafkaError."""
    with connect(KafkaAdminClient, settings) as admin:
        described = admin.describe_topics(sorted(topics))
    return sorted(
        Partition(topic["name"], partition["partition_index"])
        for topic in described
        for partition in topic["partitions"]
    )


def _create(admin: KafkaAdminClient, topics: list[Topic], settings: Settings) -> None:
    wanted = {
        "num_partitions": settings.kafka_partitions,
        "replication_factor": settings.kafka_replication_factor,
        "configs": {
            "min.insync.replicas": str(settings.kafka_min_insync_replicas),
            "max.message.bytes": str(largest_record_bytes(settings)),
        },
    }
    # Another process may create them at this moment; what matters is that they come to exist.
    with suppress(TopicAlreadyExistsError):
        admin.create_topics({str(topic): wanted for topic in topics})
    admin.wait_for_topics([str(topic) for topic in topics], timeout_ms=int(CONNECT_SECONDS * 1000))
