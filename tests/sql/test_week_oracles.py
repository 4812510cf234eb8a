"""A user's week is what the published definitions make of its nights, and how they arrive changes nothing."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ingest.settings import Settings
from pipelines.database import build_path
from tests.builds import build_of, different_rows, open_build, run_build, settings_for, table_names
from tests.raw_events import Event, land, simulated_events
from tests.sql.week_definitions import (
    TIMES,
    Figures,
    Night,
    circular_mean_minutes,
    circular_sd_minutes,
    week_figures,
    with_trends,
)

MONDAY: Final = datetime(2025, 12, 15, tzinfo=UTC)
AS_OF: Final = datetime(2026, 3, 1, tzinfo=UTC)
ROUNDED: Final = 1.5e-4
"""A difference of two figures of four decimals is off by one in the fourth at most."""
BUILDS_ARE_SLOW = settings(
    max_examples=3,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

Told = tuple[int, datetime, list[int], str, int]
"""User, begin, stages, zone and the vendor's score of one session."""

_examples = itertools.count(1)

ZONES: Final = st.sampled_from(["UTC", "Asia/Seoul", "America/New_York"])
RUNS: Final = st.lists(
    st.tuples(st.sampled_from([-1, 0, 0, 1, 1, 2, 3]), st.integers(1, 120)), min_size=1, max_size=8
)
# half of the nights begin within the same two hours, so that some of them overlap 24 hours apart
BEGINS: Final = st.integers(22 * 120, 24 * 120) | st.integers(0, 24 * 120)


def report(user: str, began: datetime, stages: Sequence[int], zone: str = "UTC", index: int = 50) -> Event:
    ended = began + timedelta(seconds=30 * len(stages))
    session = {
        "id": began.isoformat(),
        "start_time": began.isoformat(),
        "end_time": ended.isoformat(),
        "created_timezone": zone,
        "sleep_stages": stages,
    }
    data = {"user_id": user, "session": session, "stat": {"sleep_index": index}}
    return Event(body={"event": "SESSION_COMPLETE", "data": data}, received_at=ended)


@st.composite
def sleepers(draw: Any) -> list[Told]:
    """Sessions of up to five weeks of up to six users; some end on one date, some have no sleep."""
    told: list[Told] = []
    for user in range(draw(st.integers(1, 6))):
        zone = draw(ZONES)
        starts = draw(st.lists(st.tuples(st.integers(0, 34), BEGINS), max_size=16, unique=True))
        for day, slot in starts:
            stages = [stage for stage, epochs in draw(RUNS) for _ in range(epochs)]
            began = MONDAY + timedelta(days=day, seconds=30 * slot + draw(st.integers(0, 29)))
            told.append((user, began, stages, zone, draw(st.integers(0, 100))))
    return told


def built_nights(built: Settings, users: str) -> dict[tuple[str, date], list[Night]]:
    """Valid main sleeps of users that begin with the word, by user and week."""
    weeks = defaultdict(list)
    with open_build(built) as connection:
        found = connection.execute(
            "select sessions.*, stages from sessions"
            " join int_session_epochs using (user_id, session_id)"
            " where starts_with(user_id, ?) and is_main_sleep and validity = 'valid'",
            [users],
        )
        names = [column[0] for column in found.description]
        for values in found.fetchall():
            row = dict(zip(names, values, strict=True))
            weeks[row["user_id"], row["week_start"]].append(Night(row, row.pop("stages")))
    return weeks


def built_weeks(built: Settings, users: str) -> dict[tuple[str, date], Figures]:
    """Rows of weekly_trends with a night, by user and week; times of day as minutes after midnight."""
    with open_build(built) as connection:
        found = connection.execute(
            "select * from weekly_trends where starts_with(user_id, ?) and nights > 0", [users]
        )
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, values, strict=True)) for values in found.fetchall()]
    for row in rows:
        for name, value in row.items():
            if isinstance(value, time):
                row[name] = 60 * value.hour + value.minute + value.second / 60
    return {(row.pop("user_id"), row.pop("week_start")): row for row in rows}


def assert_weeks_are_by_definition(built: Settings, users: str) -> int:
    """Compare all weeks with a night of these users; returns how many there are."""
    by_user: dict[str, dict[date, Figures]] = defaultdict(dict)
    for (user, monday), nights in built_nights(built, users).items():
        by_user[user][monday] = week_figures(nights)
    expected = {
        (user, monday): figures
        for user, weeks in by_user.items()
        for monday, figures in with_trends(weeks).items()
    }
    found = built_weeks(built, users)
    assert found.keys() == expected.keys()
    for key, figures in expected.items():
        times = {f"{name}_local_mean" for name in TIMES}
        assert found[key].keys() - {"naps", "never_slept_nights"} == figures.keys()
        for name, wanted in figures.items():
            if name in times and wanted is not None:
                # rounded to seconds; midnight may be told from either side
                assert abs((found[key][name] - wanted + 720) % 1440 - 720) <= 0.51 / 60, (key, name)
            else:
                assert found[key][name] == pytest.approx(wanted, abs=ROUNDED), (key, name)
    return len(expected)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Settings]:
    folder = tmp_path_factory.mktemp("weeks")
    return settings_for(folder / "whole"), settings_for(folder / "pieces")


@given(told=sleepers(), disorder=st.randoms(use_true_random=False), cuts=st.integers(1, 3))
@BUILDS_ARE_SLOW
def test_weeks_are_by_definition_and_no_order_of_arrival_changes_a_row(
    twins: tuple[Settings, Settings], told: list[Told], disorder: random.Random, cuts: int
) -> None:
    word = f"example-{next(_examples)}"
    events = [
        report(f"{word}-{user}", began, stages, zone, index) for user, began, stages, zone, index in told
    ]
    whole, pieces = twins
    if events:
        land(whole, events)
    run_build(whole, AS_OF)
    assert_weeks_are_by_definition(whole, word)
    shuffled = disorder.sample(events, len(events))
    for piece in range(cuts):
        if shuffled[piece::cuts]:
            land(pieces, shuffled[piece::cuts])
        run_build(pieces, AS_OF)
    aside = {"raw_file", "log_offset", "receipt_id", "raw_receipt_id", "stages_receipt_id"}
    marts = {name for name in table_names() if "cohort" in name or "week" in name} | {"users", "sessions"}
    assert not different_rows(build_path(whole), build_path(pieces), marts, but=aside)


def test_weeks_of_simulated_sleepers_are_by_definition(tmp_path: Any) -> None:
    built = build_of(tmp_path, simulated_events(users=4, days=16), AS_OF)
    assert assert_weeks_are_by_definition(built, "") >= 8


def by_pyactigraphy(asleep: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    """The sri of pyActigraphy 1.2.2, of a recording without gaps with one row per day.

    It is a mean over times of day, each of the share of days that are like the day before.
    """
    stability = np.mean(1 - np.abs(np.diff(asleep.astype(int), axis=0)), axis=0)
    return float(200 * np.mean(stability) - 100)


def test_regularity_of_a_week_without_gaps_is_that_of_pyactigraphy(tmp_path: Any) -> None:
    chance = random.Random(5)
    told, expected = [], {}
    for user in ("even", "odd"):
        days = [[stage for _ in range(24) for stage in [chance.choice([0, 1, 2, 3])] * 120] for _ in range(7)]
        began = MONDAY - timedelta(hours=12)
        told += [report(user, began + timedelta(days=day), stages) for day, stages in enumerate(days)]
        expected[user] = by_pyactigraphy(np.array(days) > 0)
    built = build_of(tmp_path, told, AS_OF)
    weeks = built_weeks(built, "")
    assert {user: weeks[user, MONDAY.date()]["sri_valid_pairs"] for user in expected} == {
        "even": 6 * 2880,
        "odd": 6 * 2880,
    }
    for user, wanted in expected.items():
        found = weeks[user, MONDAY.date()]["sleep_regularity_index"]
        assert found == pytest.approx(wanted, abs=ROUNDED)


@given(angles=st.lists(st.floats(0, 6.28), min_size=2, max_size=7))
@settings(deadline=None)
def test_our_circular_definitions_are_those_of_scipy(angles: list[float]) -> None:
    scipy = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    mean, deviation = circular_mean_minutes(angles), circular_sd_minutes(angles)
    if mean is not None and deviation is not None:
        minutes = 24 * 60 / (2 * np.pi)
        distance = mean - float(scipy.circmean(angles)) * minutes
        assert abs((distance + 720) % 1440 - 720) < 1e-3
        assert deviation == pytest.approx(float(scipy.circstd(angles)) * minutes, abs=1e-3)
