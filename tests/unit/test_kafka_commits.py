"""A commit that Kafka's group does not take: told where it can be, and in nobody's way inside a rebalance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from kafka import ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError

from ingest.event_log.base import LogUnavailable, Partition
from ingest.event_log.kafka_reader import KafkaReader
from ingest.settings import Settings

HOME = Partition("asleep.events", 0)


class RefusingConsumer:
    """A client whose group has gone on without it."""

    listener: ConsumerRebalanceListener
    refusals = 0

    def subscribe(self, _: object, *, listener: ConsumerRebalanceListener) -> None:
        self.listener = listener

    def poll(self, **_: object) -> dict[TopicPartition, list[object]]:
        self.listener.on_partitions_assigned([TopicPartition(*HOME)])
        return {TopicPartition(*HOME): [object()]}

    def pause(self, *_: TopicPartition) -> None: ...

    def resume(self, *_: TopicPartition) -> None: ...

    def commit(self, *_: object, **__: object) -> None:
        raise CommitFailedError

    def commit_async(
        self,
        offsets: Mapping[TopicPartition, OffsetAndMetadata],
        callback: Callable[[Mapping[TopicPartition, OffsetAndMetadata], Any], None],
    ) -> None:
        self.refusals += 1
        callback(offsets, CommitFailedError())


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> RefusingConsumer:
    made = RefusingConsumer()
    monkeypatch.setattr("ingest.event_log.kafka_reader.cluster_id", lambda _: "cluster")
    monkeypatch.setattr("ingest.event_log.kafka_reader.consumer", lambda *_, **__: made)
    return made


def test_it_is_told_so_that_the_lander_counts_it_and_only_logged_inside_a_rebalance(
    consumer: RefusingConsumer, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(event_log_url="kafka://127.0.0.1:1")
    reader = KafkaReader(settings, [HOME.topic], "group", lambda _: None, lambda _: reader.commit({HOME: 3}))
    reader.poll(0.0, 1)
    with pytest.raises(LogUnavailable, match="CommitFailedError"):
        reader.commit({HOME: 3})
    consumer.listener.on_partitions_revoked([TopicPartition(*HOME)])
    assert consumer.refusals == 1
    assert "did not take the commit of 1 partitions" in caplog.text
