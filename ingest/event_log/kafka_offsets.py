"""Asks a Kafka cluster where partitions begin or end, leader by leader: one that is away hides no other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final, Literal

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from ingest.event_log.base import Partition

_NO_LEADER: Final = -1
_HURRY_SECONDS: Final = 2.0
"""Longest wait for one leader while others wait for us, or for a partition that has none to get one."""

Side = Literal["beginning", "end"]


def offsets_by_leader(
    consumer: KafkaConsumer, side: Side, partitions: Collection[Partition], patience_seconds: float | None
) -> tuple[dict[Partition, int], dict[Partition, str]]:
    """One offset a partition, or why there is none; in a hurry without `patience_seconds` for each leader.

    The client, asked for all of them, fails for all when one leader is away, and forgets those that have no
    leader.
    """
    ask = consumer.beginning_offsets if side == "beginning" else consumer.end_offsets
    found: dict[Partition, int] = {}
    failed: dict[Partition, str] = {}
    for leader, led in _by_leader(consumer, partitions).items():
        seconds = _HURRY_SECONDS if patience_seconds is None or leader == _NO_LEADER else patience_seconds
        try:
            answer = ask([TopicPartition(*each) for each in led], timeout_ms=int(seconds * 1000))
        except KeyError:
            # How the client ends where a partition lost its leader while others of the request have theirs.
            failed |= dict.fromkeys(led, "its leader has just changed")
        except KafkaError as error:
            away = "it has no leader" if leader == _NO_LEADER else f"its leader {leader} does not answer"
            failed |= dict.fromkeys(led, f"{away}: {error}")
        else:
            found |= {Partition(*each): offset for each, offset in answer.items()}
    return found, failed


def in_words(failed: Mapping[Partition, str]) -> str:
    """Why partitions have no offset, each reason once."""
    named: dict[str, list[str]] = defaultdict(list)
    for (topic, number), why in sorted(failed.items()):
        named[why].append(f"{topic}[{number}]")
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in named.items())


def _by_leader(
    consumer: KafkaConsumer, partitions: Collection[Partition]
) -> dict[int | None, list[Partition]]:
    """The partitions by the number of the broker that leads them; None where the client does not know yet."""
    leader_of = consumer._cluster.leader_for_partition  # noqa: SLF001  nothing public tells the leader
    found: dict[int | None, list[Partition]] = defaultdict(list)
    for partition in partitions:
        found[leader_of(TopicPartition(*partition))].append(partition)
    return found
