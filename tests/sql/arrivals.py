"""Hypothesis strategies: what may arrive of a few sessions, in any order and any number of files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from hypothesis import strategies as st

from tests.raw_events import Event

BEGIN: Final = datetime(2026, 1, 5, 22, 0, tzinfo=UTC)
LENGTHS: Final = st.sampled_from([1, 2, 5, 9, 10, 10, 10, 14, 40])
ZONES: Final = st.sampled_from([None, None, "UTC", "Asia/Seoul", "Mars/Olympus_Mons"])
STATS: Final = st.sampled_from(
    [None, {"sleep_index": 71, "sleep_efficiency": 0.7}, {"sleep_time": "07:30:00", "sleep_efficiency": 88.5}]
)
NOISE: Final[list[dict[str, Any] | str]] = [
    "no JSON",
    {"event": "MOON_COMPLETE", "user_id": "a", "session_id": "s"},
    {"event": "INFERENCE_COMPLETE", "user_id": "a", "sleep_stages": [1]},
    {"event": "INFERENCE_COMPLETE", "user_id": "a", "session_id": "s", "sleep_stages": [7]},
    {"event": "INFERENCE_COMPLETE", "user_id": "a", "session_id": "s", "sleep_stages": "0,1"},
]


def at(seconds: int) -> str:
    """An instant so many seconds after BEGIN, as text."""
    return (BEGIN + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def _values(low: int, high: int, length: int) -> st.SearchStrategy[list[int | None]]:
    # few different runs: long random lists say nothing that short ones do not
    run = st.tuples(st.sampled_from([None, *range(low, high + 1)]), st.integers(1, 12))
    return st.lists(run, min_size=1, max_size=4).map(
        lambda runs: ([value for value, times in runs for _ in range(times)] * length)[:length]
    )


@st.composite
def windows(draw: Callable[[st.SearchStrategy[Any]], Any], block: int) -> dict[str, Any]:
    """The varying part of an INFERENCE_COMPLETE that belongs to block `block`, however it says so."""
    length = draw(LENGTHS)
    body: dict[str, Any] = {
        "event": "INFERENCE_COMPLETE",
        "timestamp": draw(_maybe(st.integers(0, 6).map(lambda s: at(300 * (block + 1) + s)))),
        "sleep_stages": draw(
            st.sampled_from([None, []]) if draw(st.integers(0, 15)) == 0 else _values(-1, 3, length)
        ),
        "snoring_stages": draw(_maybe(_values(0, 1, length + draw(st.integers(-1, 1))))),
        "breath_stages": draw(_maybe(_values(-1, 1, length))),
    }
    place = draw(st.sampled_from(["both", "both", "block", "seq", "window", "window and block", "nothing"]))
    if place in {"both", "block", "window and block"}:
        body["inference_seq_num"] = block
    if place in {"both", "seq"}:
        body["seq_num"] = 10 * block + 9
    if place in {"window", "window and block"}:
        end = 300 * (block + 1) + draw(st.sampled_from([0, 0, 0, 7, -31]))
        seconds = draw(st.sampled_from([30 * length, 30 * length, 300]))
        body["time_window"] = {"start": at(end - seconds), "end": at(end)}
    return body


@st.composite
def finals(draw: Callable[[st.SearchStrategy[Any]], Any]) -> dict[str, Any]:
    """The varying part of a SESSION_COMPLETE."""
    length = draw(st.sampled_from([1, 10, 33, 60]))
    start = draw(_maybe(st.sampled_from([0, 0, 0, -90])))
    session = {
        "start_time": None if start is None else at(start),
        "end_time": draw(_maybe(st.just(at(30 * length + (start or 0))))),
        "created_timezone": draw(ZONES),
        "sleep_stages": draw(_maybe(_values(-1, 3, length))),
        "snoring_stages": draw(_maybe(_values(0, 1, length))),
    }
    return {
        "event": "SESSION_COMPLETE",
        "timestamp": draw(_maybe(st.integers(0, 3).map(lambda s: at(3600 + s)))),
        "timezone": draw(ZONES),
        "session": draw(st.sampled_from([session, session, session, None])),
        "stat": draw(STATS),
        "peculiarities": draw(st.sampled_from([[], ["NEVER_SLEPT"]])),
    }


@st.composite
def arrivals(draw: Callable[[st.SearchStrategy[Any]], Any]) -> list[Event]:
    """Events of up to three sessions of two users, some sent again, in the order of the log."""
    key = st.sampled_from([("a", "s"), ("a", "s"), ("a", "t"), ("b", "s")])
    body = st.integers(0, 5).flatmap(windows) | st.integers(0, 5).flatmap(windows) | finals()
    moments = st.integers(0, 20).map(lambda seconds: BEGIN + timedelta(seconds=180 * seconds))
    sent = draw(st.lists(st.tuples(key, body, moments), min_size=1, max_size=14))
    events = [
        Event(
            body={"user_id": user, "session_id": session} | rest, received_at=moment, receipt_id=str(number)
        )
        for number, ((user, session), rest, moment) in enumerate(sent)
    ]
    for number, (index, is_retry) in enumerate(
        draw(st.lists(st.tuples(st.integers(0, len(events) - 1), st.booleans()), max_size=4))
    ):
        copy = events[index]
        if is_retry:
            copy = replace(copy, receipt_id=f"retry-{number}", received_at=draw(moments))
        events.append(copy)
    return list(draw(st.permutations(events)))


@st.composite
def noise(draw: Callable[[st.SearchStrategy[Any]], Any]) -> list[Event]:
    """Up to three events that no row of a session can come of."""
    bodies = draw(st.lists(st.sampled_from(NOISE), max_size=3))
    return [
        Event(body=body, received_at=BEGIN + timedelta(seconds=number), receipt_id=f"noise-{number}")
        for number, body in enumerate(bodies)
    ]


@st.composite
def splits(draw: Callable[[st.SearchStrategy[Any]], Any], events: list[Event]) -> list[list[Event]]:
    """The same events in up to three pieces, in order, none empty."""
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(events) - 1)), max_size=2)))
    edges = [0, *(cut for cut in cuts if cut < len(events)), len(events)]
    return [events[start:end] for start, end in pairwise(edges) if start < end]
