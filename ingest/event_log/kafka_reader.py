"""Reading from Kafka as a member of a consumer group; records are kafka-python's own, as they come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from kafka import ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, RetriableError
from kafka.structs import MemberState

from ingest.event_log.base import LogRecord, LogUnavailable, Partition, Rebalanced, UnreadableRecord
from ingest.event_log.kafka_cluster import cluster_id, partitions_of, servers
from ingest.event_log.kafka_consumer import REQUEST_SECONDS, consumer, find_unreadable
from ingest.event_log.kafka_offsets import Side, in_words, offsets_by_leader
from ingest.settings import Settings

_log = logging.getLogger(__name__)

_SLICE_SECONDS: Final = 0.25
"""Longest stay inside the client: how late a new assignment is told."""

_REBALANCE_SECONDS: Final = 3.0
"""Longest wait for the other members in one `poll`."""


class KafkaReader:
    """Reads as one member of a consumer group; see EventLogReader.

    Inside `on_revoked` the client waits for us: of the reader's methods only `commit` may be called there.
    `close` calls neither callback. Methods raise LogUnavailable when the cluster fails.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Collection[str],
        group: str,
        on_assigned: Rebalanced,
        on_revoked: Rebalanced,
    ) -> None:
        self._settings = settings
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._told: set[Partition] = set()
        self._untold: set[Partition] = set()
        self._revoking = False
        self._closing = False
        self._failure: Exception | None = None
        self._unreadable: UnreadableRecord | None = None
        with self._unavailable():
            self._log_id = cluster_id(settings)
            self._consumer = consumer(settings, group_id=group)
            self._consumer.subscribe(sorted(topics), listener=_Listener(self._assigned, self._revoked))

    @property
    def log_id(self) -> str:
        """The cluster's own identity: 22 letters, digits, `_` or `-`."""
        return self._log_id

    def poll(self, timeout_seconds: float, max_records: int) -> Mapping[Partition, Sequence[LogRecord]]:
        """The next records of each partition; stops with UnreadableRecord, every time, at a broken one.

        While the group shares out its partitions anew it may take a few seconds longer than asked for.
        """
        if self._unreadable is not None:
            raise self._unreadable
        deadline = time.monotonic() + timeout_seconds
        while True:
            left = max(0.0, deadline - time.monotonic())
            found = self._poll(min(left, _SLICE_SECONDS), max_records)
            self._tell_assigned()
            if found or not left:
                return {Partition(*partition): records for partition, records in found.items()}

    def assignment(self) -> Collection[Partition]:
        """The partitions that this member was told it reads."""
        return frozenset(self._told)

    def seek(self, partition: Partition, offset: int) -> None:
        """Read this assigned partition from `offset` on; raises ValueError when it is not assigned."""
        self._consumer.seek(TopicPartition(*partition), offset)
        if self._unreadable is not None and self._unreadable.partition == partition:
            self._unreadable = None

    def position(self, partition: Partition) -> int | None:
        """Where this assigned partition is read on, from what the client knows; see EventLogReader."""
        with self._unavailable():
            found: int | None = self._consumer.position(
                TopicPartition(*partition), timeout_ms=int(_SLICE_SECONDS * 1000)
            )
        return found

    def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        """Tell the group how far we are; inside `on_revoked` what it does not take is only logged."""
        offsets = {
            TopicPartition(*partition): OffsetAndMetadata(offset)
            for partition, offset in next_offsets.items()
        }
        if self._revoking:
            self._consumer.commit_async(offsets, callback=_log_refused)
            return
        with self._unavailable():
            self._consumer.commit(offsets, timeout_ms=int(REQUEST_SECONDS * 1000))

    def first_offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """The oldest offset the cluster still has, per partition (the end where it is empty)."""
        return self._answered("beginning", partitions)

    def end_offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """One past the newest acknowledged offset, per partition."""
        return self._answered("end", partitions)

    def partitions(self, topics: Collection[str]) -> list[Partition]:
        """All partitions of these topics; a topic that does not exist has none."""
        with self._unavailable():
            return partitions_of(topics, self._settings)

    def close(self) -> None:
        """Leave the group and disconnect."""
        self._closing = True
        with self._unavailable():
            self._consumer.close(autocommit=False, timeout_ms=int(REQUEST_SECONDS * 1000))

    def _poll(self, seconds: float, max_records: int) -> dict[TopicPartition, list[LogRecord]]:
        try:
            found: dict[TopicPartition, list[LogRecord]] = self._consumer.poll(
                timeout_ms=int(seconds * 1000), max_records=max_records
            )
            if not found:
                self._finish_rebalance()
        except RetriableError as error:
            raise LogUnavailable(self._describe(error)) from error
        except Exception as error:  # a broken record breaks decoding in any way it likes
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure from error
            self._unreadable = self._find_unreadable()
            if self._unreadable is not None:
                raise self._unreadable from error
            if isinstance(error, KafkaError):
                raise LogUnavailable(self._describe(error)) from error
            raise
        return found

    def _answered(self, side: Side, partitions: Collection[Partition]) -> dict[Partition, int]:
        found, failed = self._offsets(side, partitions)
        if failed:
            raise LogUnavailable(f"Kafka at {','.join(servers(self._settings))}: {in_words(failed)}", failed)
        return found

    def _offsets(
        self, side: Side, partitions: Collection[Partition]
    ) -> tuple[dict[Partition, int], dict[Partition, str]]:
        patience = None if self._told else REQUEST_SECONDS  # what is read meanwhile waits
        return offsets_by_leader(self._consumer, side, partitions, patience)

    def _find_unreadable(self) -> UnreadableRecord | None:
        patience_ms = int(REQUEST_SECONDS * 1000)
        with self._unavailable():
            ends, _ = self._offsets("end", self._told)
            positions = {each: self._consumer.position(TopicPartition(*each), patience_ms) for each in ends}
            unread = {
                each: range(position, ends[each])
                for each, position in positions.items()
                if position is not None
            }
            return find_unreadable(self._settings, {each: left for each, left in unread.items() if left})

    def _assigned(self, partitions: Collection[TopicPartition]) -> None:
        # Runs in the client's thread. It is told once `poll` is back in its own, where the reader may be
        # asked for offsets; until then nothing is fetched, so that a seek comes in time.
        self._consumer.pause(*partitions)
        self._untold.update(Partition(*partition) for partition in partitions)

    def _finish_rebalance(self) -> None:
        """Wait for a rebalance that began: one that ends while nobody waits for it is lost on the client.

        The group then believes that this member reads, and it never does, or it joins again without end.
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001  nothing public only waits
        deadline = time.monotonic() + _REBALANCE_SECONDS
        while self._consumer.group_metadata().state == MemberState.REBALANCING:
            if time.monotonic() > deadline:
                return
            if not coordinator.need_rejoin():
                coordinator.request_rejoin()
            coordinator.poll(timeout_ms=int(_REBALANCE_SECONDS * 1000))

    def _tell_assigned(self) -> None:
        if self._untold:
            self._told |= self._untold
            self._on_assigned(sorted(self._untold))
            self._consumer.resume(*(TopicPartition(*partition) for partition in self._untold))
            self._untold = set()

    def _revoked(self, partitions: Collection[TopicPartition]) -> None:
        # Runs in the client's thread, before another member may be given the partitions.
        taken = {Partition(*partition) for partition in partitions}
        gone = self._told & taken - self._untold
        self._told -= taken
        self._untold -= taken
        if not gone or self._closing:
            return
        self._revoking = True
        try:
            self._on_revoked(sorted(gone))
        except Exception as error:
            self._failure = error
            raise
        finally:
            self._revoking = False

    @contextmanager
    def _unavailable(self) -> Iterator[None]:
        try:
            yield
        except KafkaError as error:
            raise LogUnavailable(self._describe(error)) from error

    def _describe(self, error: Exception) -> str:
        return f"Kafka at {','.join(servers(self._settings))}: {type(error).__name__}: {error}"


def _log_refused(offsets: Mapping[TopicPartition, OffsetAndMetadata], result: object) -> None:
    if isinstance(result, Exception):
        _log.warning("the group did not take the commit of %d partitions: %s", len(offsets), result)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    def __init__(
        self,
        assigned: Callable[[Collection[TopicPartition]], None],
        revoked: Callable[[Collection[TopicPartition]], None],
    ) -> None:
        self._assigned = assigned
        self._revoked = revoked

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._assigned(assigned)

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self._revoked(revoked)
