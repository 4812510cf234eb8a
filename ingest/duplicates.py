"""Notices events that were seen lately: approximately, per process, and for a metric only."""

from __future__ import annotations

from typing import Final

DEFAULT_CAPACITY: Final = 50_000
"""Events of a generation: two of them hold a good minute at 1,000 events a second, in about 7 MB."""


class RecentEvents:
    """Remembers the last `capacity` to twice `capacity` different events by a 64-bit hash.

    Two generations: when the young one is full it becomes the old one, and what was old is forgotten.
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}: remember at least one event")
        self._capacity = capacity
        self._young: set[int] = set()
        self._old: set[int] = set()

    def is_repeat(self, key: bytes, body: bytes) -> bool:
        """Whether this body came lately under this partition key; it is remembered either way."""
        event = hash((key, body))
        if event in self._young:
            return True
        is_repeat = event in self._old
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, set()
        self._young.add(event)
        return is_repeat
