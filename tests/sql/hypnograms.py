"""Hypnograms for the tests of statistics: generated ones, those of people, and how a report tells them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from ingest.settings import Settings
from pipelines.simulation.night import Night
from pipelines.simulation.nights import read_scored_nights
from tests.builds import open_build
from tests.raw_events import Event

SCORED_NIGHTS: Final = Path(__file__).parents[3] / "shared" / "nights"
BEGIN: Final = datetime(2026, 1, 5, 22, 0, tzinfo=UTC)
AS_OF: Final = datetime(2026, 3, 1, tzinfo=UTC)

ONE_BUILD_EACH: Final = settings(
    max_examples=4,
    deadline=None,
    # a build of many nights is one example: a hundred builds to make a failed one smaller take minutes
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

Key = tuple[str, str]


def hypnograms(lowest: int) -> st.SearchStrategy[list[int]]:
    """Runs of stages from `lowest` to 3, of lengths around those at which a rule changes its mind."""
    runs = st.tuples(st.integers(lowest, 3), st.sampled_from([1, 2, 5, 9, 10, 11, 19, 20, 21, 40]))
    return st.lists(runs, min_size=1, max_size=25).map(
        lambda runs: [stage for stage, epochs in runs for _ in range(epochs)]
    )


def report(user: str, stages: Sequence[int]) -> Event:
    """A final report of these stages."""
    end = BEGIN + timedelta(seconds=30 * len(stages))
    session = {
        "id": "s",
        "start_time": BEGIN.isoformat(),
        "end_time": end.isoformat(),
        "sleep_stages": stages,
    }
    return Event(body={"event": "SESSION_COMPLETE", "data": {"user_id": user, "session": session}})


def session_rows(built: Settings, columns: Sequence[str], users: str = "") -> dict[Key, dict[str, Any]]:
    """Rows of sessions by their key, of users that begin with this word."""
    with open_build(built) as connection:
        rows = connection.execute(
            f"select user_id, session_id, {', '.join(columns)} from sessions where starts_with(user_id, ?)",
            [users],
        ).fetchall()
    return {(user, session): dict(zip(columns, values, strict=True)) for user, session, *values in rows}


def scored_nights() -> list[Night]:
    """Nights scored by people; skips the test where there are none."""
    if not SCORED_NIGHTS.exists():
        pytest.skip(f"no scored nights at {SCORED_NIGHTS}")
    return read_scored_nights(SCORED_NIGHTS, date(2026, 1, 5))


def scored_hypnograms() -> dict[str, list[int]]:
    """What each of two people made of these nights, by a user of its own."""
    readings = {}
    for night in scored_nights():
        readings[f"{night.user_id}-first"] = list(night.stages)
        readings[f"{night.user_id}-second"] = list(night.early_stages)
    return readings
