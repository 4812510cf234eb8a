"""The event log: two implementations behind one protocol, chosen by the scheme of its address."""

from __future__ import annotations

from collections.abc import Collection

from ingest.event_log.base import EventLogReader, EventLogWriter, Rebalanced
from ingest.settings import Settings


def open_writer(settings: Settings) -> EventLogWriter:
    """A writer for the log that the settings name; call its `start` on the event loop that will append."""
    if settings.log_url.startswith("kafka://"):
        from ingest.event_log.kafka_writer import KafkaWriter  # noqa: PLC0415  the embedded log needs no Kafka client

        return KafkaWriter(settings)
    from ingest.event_log.sqlite_writer import SqliteWriter  # noqa: PLC0415  and the other way round

    return SqliteWriter(settings)


def open_reader(
    settings: Settings,
    topics: Collection[str],
    group: str,
    on_assigned: Rebalanced,
    on_revoked: Rebalanced,
) -> EventLogReader:
    """A reader in the consumer group `group`; raises LogUnavailable when the log can not be reached."""
    if settings.log_url.startswith("kafka://"):
        from ingest.event_log.kafka_reader import KafkaReader  # noqa: PLC0415  as above

        return KafkaReader(settings, topics, group, on_assigned, on_revoked)
    from ingest.event_log.sqlite_reader import SqliteReader  # noqa: PLC0415  as above

    return SqliteReader(settings, topics, group, on_assigned, on_revoked)
