"""Rate limits: who counts as one caller, when it may call again, and how little a flood costs."""

from __future__ import annotations

import gc
import sys
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from limits import parse
from limits.strategies import FixedWindowRateLimiter

from ingest.rate_limits import MAX_TRACKED, BoundedStorage, RateLimits, caller_of
from ingest.settings import Settings

KEY = b"key-of-the-tests"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limits(clock: Clock, *, address: str = "", key: str = "") -> RateLimits:
    return RateLimits(Settings(rate_limit_per_address=address, rate_limit_per_key=key), clock)


def test_without_a_limit_everything_passes(clock: Clock) -> None:
    off = limits(clock)
    assert {off.of_address("192.0.2.1") for _ in range(1000)} == {None}
    assert {off.of_key(KEY) for _ in range(1000)} == {None}


def test_calls_up_to_the_limit_pass_and_the_next_waits_for_the_end_of_the_window(clock: Clock) -> None:
    few = limits(clock, address="3/minute")
    assert [few.of_address("192.0.2.1") for _ in range(4)] == [None, None, None, 60]
    clock.now += 12.5
    assert few.of_address("192.0.2.1") == 48
    clock.now += 47.4
    assert few.of_address("192.0.2.1") == 1
    clock.now += 0.1
    assert few.of_address("192.0.2.1") is None


@given(st.lists(st.floats(min_value=0, max_value=0.9), max_size=60))
def test_after_the_seconds_it_was_told_a_caller_passes_however_often_it_tried_meanwhile(
    pauses: list[float],
) -> None:
    clock = Clock()
    few = limits(clock, key="2/second")
    for pause in pauses:
        clock.now += pause
        seconds = few.of_key(KEY)
        if seconds is not None:
            assert seconds == 1
            told = clock.now + seconds
            while clock.now + 0.3 < told:
                clock.now += 0.3
                few.of_key(KEY)
            clock.now = max(clock.now, told)
            break
    else:
        return
    clock.now += 1
    assert few.of_key(KEY) is None


@given(
    st.sampled_from(["3/second", "2/minute", "1/hour"]),
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([0.0, 0.4, 61.0, 4000.0])), max_size=40),
)
def test_a_limit_is_that_of_the_library(rate: str, calls: list[tuple[str, float]]) -> None:
    clock = Clock()
    ours = limits(clock, address=rate)
    theirs = FixedWindowRateLimiter(BoundedStorage(clock))
    for caller, pause in calls:
        clock.now += pause
        seconds = ours.of_address(caller)
        assert (seconds is None) is theirs.hit(parse(rate), caller)
        if seconds is not None:
            ends_at = theirs.get_window_stats(parse(rate), caller).reset_time
            assert seconds - 1 < ends_at - clock.now <= seconds


def test_callers_do_not_share_a_limit_and_neither_do_keys_and_addresses(clock: Clock) -> None:
    one = limits(clock, address="1/hour", key="1/hour")
    assert [one.of_address("192.0.2.1"), one.of_address("192.0.2.2"), one.of_key(KEY)] == [None] * 3
    assert [one.of_key(b"another"), one.of_key(b"192.0.2.1")] == [None] * 2
    assert [one.of_address("192.0.2.1"), one.of_key(b" " + KEY + b"\t")] == [3600] * 2


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("unknown:", "unknown;", False),
        (None, None, True),
        (None, "192.0.2.1", False),
    ],
)
def test_a_caller_is_an_ipv4_address_or_an_ipv6_network(
    first: str | None, second: str | None, same: bool
) -> None:
    assert (caller_of(first) == caller_of(second)) is same


@given(st.text())
@example("::\0")
@example("::\ud800")
def test_what_a_proxy_names_is_a_caller_whatever_it_is_and_takes_little_room(address: str) -> None:
    assert len(caller_of(address)) <= 64


def test_a_key_is_nowhere_in_what_is_kept(clock: Clock) -> None:
    one = limits(clock, key="1/hour")
    one.of_key(KEY)
    seen: set[int] = set()
    reached: list[object] = [one]
    while reached:
        thing = reached.pop()
        if id(thing) in seen or isinstance(thing, type) or callable(thing):
            continue
        seen.add(id(thing))
        assert KEY.decode() not in str(thing)
        reached += gc.get_referents(thing)
    assert len(seen) > 10


def test_a_million_addresses_take_no_more_memory_than_ten_thousand(clock: Clock) -> None:
    storage = BoundedStorage(clock)
    tracemalloc.start()
    try:
        for number in range(MAX_TRACKED):
            storage.incr(f"{number:08}", 60.0)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    full = sys.getallocatedblocks()
    for number in range(MAX_TRACKED, 1_000_000):
        storage.incr(f"{number:08}", 60.0)
    assert sys.getallocatedblocks() < full + 1000
    assert len(storage) == MAX_TRACKED


def test_beyond_the_table_strangers_share_one_limit_and_those_in_it_keep_theirs(clock: Clock) -> None:
    storage = BoundedStorage(clock, max_tracked=2)
    for caller in ("first", "second"):
        assert storage.incr(caller, 60.0) == 1
    assert [storage.incr(f"stranger {number}", 60.0) for number in range(3)] == [1, 2, 3]
    assert storage.incr("first", 60.0) == 2
    assert (storage.get("yet another"), storage.get_expiry("yet another")) == (3, clock.now + 60)
    clock.now += 60
    assert [storage.get("first"), storage.get("yet another")] == [0, 0]
    assert [storage.incr("yet another", 60.0), storage.incr("stranger 1", 60.0)] == [1, 1]


def test_those_whose_window_ended_make_way_and_the_table_shrinks(clock: Clock) -> None:
    storage = BoundedStorage(clock, max_tracked=1000)
    for number in range(1000):
        storage.incr(f"flood {number}", 1.0)
    clock.now += 1
    for number in range(600):
        assert storage.incr(f"after {number}", 1.0) == 1
    assert len(storage) == 600


def test_forgetting_is_at_once(clock: Clock) -> None:
    storage = BoundedStorage(clock, max_tracked=1)
    for caller in ("first", "stranger"):
        storage.incr(caller, 60.0)
    storage.clear("first")
    assert storage.incr("first", 60.0) == 1
    assert storage.reset() == 1
    assert (len(storage), storage.get("stranger"), storage.check()) == (0, 0, True)
