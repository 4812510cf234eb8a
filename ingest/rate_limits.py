"""Says whether an address or an API key calls too often, in memory that stays flat under a flood."""

from __future__ import annotations

import hashlib
import math
import socket
import time
from collections.abc import Callable
from itertools import islice
from typing import Final

import limits
from limits.storage import Storage

from ingest.settings import Settings

MAX_TRACKED: Final = 10_000
"""Callers that are told apart by one limit, in 2 MB; all others share one count."""

_NO_ADDRESS: Final = "none"
_LONGEST_ADDRESS: Final = 64
_IPV4_IN_IPV6: Final = bytes(10) + b"\xff\xff"

Clock = Callable[[], float]
"""Seconds from some moment on, never going back."""


class RateLimits:
    """The limits of the settings; a caller's window opens with its first call and ends whatever it does.

    Both methods count the call; they return None where it may pass, or else the whole seconds, at least 1,
    after which it would.
    """

    def __init__(self, settings: Settings, clock: Clock = time.monotonic) -> None:
        self._addresses = _Limit.of(settings.rate_limit_per_address, clock)
        self._keys = _Limit.of(settings.rate_limit_per_key, clock)

    def of_address(self, address: str | None) -> int | None:
        """Count a call from this address; all addresses of one IPv6 /64 are one caller."""
        return None if self._addresses is None else self._addresses.hit(caller_of(address))

    def of_key(self, key: bytes) -> int | None:
        """Count a call with this authentic API key; of the key nothing but a hash is kept."""
        if self._keys is None:
            return None
        # Spaces around a key are no part of it: they must not make it several.
        return self._keys.hit(hashlib.blake2b(key.strip(b" \t"), digest_size=16).hexdigest())


class BoundedStorage(Storage):
    """Counts of fixed windows for `limits`, all of one length, on one thread, in a table of bounded size.

    The library's own memory storage has no bound, and while it is in use it goes through all of its entries
    about a hundred times a second, each time in a new thread.
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Clock, max_tracked: int = MAX_TRACKED) -> None:
        super().__init__()
        self._clock = clock
        self._max_tracked = max_tracked
        # In the order of their ends, because a window that ended makes way for a new one at the back.
        self._windows: dict[str, _Window] = {}
        self._window_of_others = _Window(0.0)

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def base_exceptions(self) -> type[Exception]:
        """Kind of the errors that the library wraps when told to; the storage raises none."""
        return LookupError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count calls in the caller's window, or in a new one of `expiry` seconds; returns their sum."""
        now = self._clock()
        window = self._windows.get(key)
        if window is None or window.ends_at <= now:
            window = self._open(key, now, now + expiry)
        window.calls += amount
        return window.calls

    def get(self, key: str) -> int:
        """The calls counted in the caller's window."""
        window = self._windows.get(key, self._window_of_others)
        return window.calls if window.ends_at > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """When the caller's window ends, by the clock of the storage."""
        return self._windows.get(key, self._window_of_others).ends_at

    def clear(self, key: str) -> None:
        """Forget the caller."""
        self._windows.pop(key, None)

    def reset(self) -> int:
        """Forget everybody; returns how many they were."""
        forgotten = len(self._windows)
        self._windows.clear()
        self._window_of_others = _Window(0.0)
        return forgotten

    def check(self) -> bool:
        """Whether the storage works: always."""
        return True

    def _open(self, key: str, now: float, ends_at: float) -> _Window:
        self._windows.pop(key, None)
        # Two go for one that comes: the table shrinks by itself, and no call pays for a whole flood.
        for oldest in list(islice(self._windows, 2)):
            if self._windows[oldest].ends_at <= now:
                del self._windows[oldest]
        if len(self._windows) < self._max_tracked:
            window = self._windows[key] = _Window(ends_at)
            return window
        if self._window_of_others.ends_at <= now:
            self._window_of_others = _Window(ends_at)
        return self._window_of_others


class _Window:
    __slots__ = ("calls", "ends_at")

    def __init__(self, ends_at: float) -> None:
        self.calls = 0
        self.ends_at = ends_at


class _Limit:
    """One limit, as `1000/second`, and the counts of those whom it holds for."""

    def __init__(self, rate: str, clock: Clock) -> None:
        parsed = limits.parse(rate)
        self._most, self._seconds = parsed.amount, parsed.get_expiry()
        self._clock = clock
        self._storage = BoundedStorage(clock)

    @classmethod
    def of(cls, rate: str, clock: Clock) -> _Limit | None:
        return cls(rate, clock) if rate else None

    def hit(self, caller: str) -> int | None:
        # What the library's FixedWindowRateLimiter does, which first writes a key that tells limits apart.
        if self._storage.incr(caller, self._seconds) <= self._most:
            return None
        return max(1, math.ceil(self._storage.get_expiry(caller) - self._clock()))


def caller_of(address: str | None) -> str:
    """Who is behind an address: itself if it is IPv4, else its IPv6 /64; a word where there is none."""
    if address is None:
        return _NO_ADDRESS
    if ":" not in address:
        return address[:_LONGEST_ADDRESS]
    try:
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):
        return address[:_LONGEST_ADDRESS]
    if packed.startswith(_IPV4_IN_IPV6):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return packed[:8].hex()
