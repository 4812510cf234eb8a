"""Events seen before: found while they are recent, forgotten in bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.duplicates import RecentEvents


def test_an_event_is_a_repeat_from_the_second_time_on() -> None:
    recent = RecentEvents()
    assert [recent.is_repeat(b"key", b"body") for _ in range(3)] == [False, True, True]


def test_another_session_may_send_the_same_body() -> None:
    recent = RecentEvents()
    assert not recent.is_repeat(b"1:a:b", b"body")
    assert not recent.is_repeat(b"1:a:c", b"body")
    assert not recent.is_repeat(b"1:a:", b"cbody")


@given(st.lists(st.integers(0, 30), max_size=200), st.integers(1, 10))
def test_the_last_events_are_known_and_no_more_than_two_generations_are_kept(
    bodies: list[int], capacity: int
) -> None:
    recent = RecentEvents(capacity)
    told: list[int] = []
    for body in bodies:
        is_repeat = recent.is_repeat(b"key", b"%d" % body)
        # A body within the last `capacity` different ones is known; one that never came is not.
        lately = list(dict.fromkeys(reversed(told)))[:capacity]
        if body in lately:
            assert is_repeat
        if body not in told:
            assert not is_repeat
        told.append(body)
        assert len(recent._young) <= capacity
        assert len(recent._old) <= capacity


def test_an_event_is_forgotten_after_two_generations() -> None:
    recent = RecentEvents(capacity=10)
    recent.is_repeat(b"key", b"first")
    for number in range(20):
        recent.is_repeat(b"key", b"%d" % number)
    assert not recent.is_repeat(b"key", b"first")


def test_a_memory_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity is 0"):
        RecentEvents(0)
