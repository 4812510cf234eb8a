"""A record whose headers come as names and values apart, for a topic's records share their names."""

from __future__ import annotations

from typing import NamedTuple, Self

from ingest.event_log.base import LogRecord


class SplitRecord(NamedTuple):
    """A LogRecord; many of them share one tuple of header names."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    header_names: tuple[str, ...]
    header_values: tuple[bytes, ...]

    @classmethod
    def of(cls, record: LogRecord) -> Self:
        """Any record, its headers' names and values taken apart."""
        headers = record.headers
        return cls(
            record.topic,
            record.partition,
            record.offset,
            record.timestamp,
            record.key,
            record.value,
            tuple([name for name, _ in headers]),
            tuple([value for _, value in headers]),
        )

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """Names and values, in order; a name may come more than once."""
        return list(zip(self.header_names, self.header_values, strict=True))
