"""A record whose headers come as names and values apart, for a topic's records share their names."""

from __future__ import annotations

from typing import NamedTuple


class SplitRecord(NamedTuple):
    """A LogRecord; many of them share one tuple of header names."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    header_names: tuple[str, ...]
    header_values: tuple[bytes | None, ...]

    @property
    def headers(self) -> list[tuple[str, bytes | None]]:
        """Names and values, in order; a name may come more than once."""
        return list(zip(self.header_names, self.header_values, strict=True))
