"""What a build computes anew: the touched weeks and what looks back on them, and no other row."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import pytest

from ingest.settings import Settings
from pipelines import warehouse
from pipelines.database import build_path
from tests.builds import different_rows, models_read_once, rows, run_build, settings_for, table_names
from tests.raw_events import Event, land

AS_OF: Final = datetime(2026, 3, 1, tzinfo=UTC)
MONDAY: Final = date(2026, 1, 5)
USERS: Final = [f"user-{number}" for number in range(6)]
USERS_FILE: Final = "user_id,birth_year,gender,timezone,signup_date\n" + "".join(
    f"{user},{1980 + number},female,Asia/Seoul,2026-01-0{number + 1}\n" for number, user in enumerate(USERS)
)


@pytest.fixture(scope="module", autouse=True)
def _models_are_read_once() -> Iterator[None]:
    with models_read_once():
        yield


def night(user: str, day: date, *, slept: int = 100, session: str | None = None, sent: int = 0) -> Event:
    """The final report of an hour in bed that ends on the day; `sent` is how many were sent before it."""
    start = datetime(day.year, day.month, day.day, 3, tzinfo=UTC)
    body = {
        "event": "SESSION_COMPLETE",
        "timestamp": (start + timedelta(hours=2, seconds=sent)).isoformat(),
        "data": {
            "user_id": user,
            "session": {
                "id": session or day.isoformat(),
                "start_time": start.isoformat(),
                "end_time": (start + timedelta(hours=1)).isoformat(),
                "created_timezone": "UTC",
                "sleep_stages": [1] * slept + [0] * (120 - slept),
            },
        },
    }
    return Event(body=body, received_at=start + timedelta(hours=2, seconds=sent))


def weeks_of_nights(weeks: Sequence[int]) -> list[Event]:
    """A night of each user in each of these weeks after MONDAY, another number of epochs asleep in each."""
    return [
        night(user, MONDAY + timedelta(weeks=week, days=number), slept=40 + 10 * number + week)
        for week in weeks
        for number, user in enumerate(USERS)
    ]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a warehouse of six users and five weeks."""
    folder = tmp_path_factory.mktemp("built")
    made = settings_for(folder, USERS_FILE)
    land(made, weeks_of_nights(range(5)))
    run_build(made, AS_OF)
    return folder


@pytest.fixture
def settings(built: Path, tmp_path: Path) -> Settings:
    """A copy of that warehouse."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return settings_for(tmp_path, USERS_FILE)


def assert_equals_a_full_build(settings: Settings) -> None:
    grown = build_path(settings).with_name("grown.duckdb")
    grown.write_bytes(build_path(settings).read_bytes())
    run_build(settings, AS_OF, full=True)
    assert not different_rows(grown, build_path(settings), table_names(), but=())


MARKED: Final = {"weekly_trends": "waso_seconds_mean", "cohort_metrics": "waso_seconds_p75"}
"""A column of each table that may hold any number, where it holds one."""


def mark(settings: Settings) -> None:
    """Put a value that no build computes into all rows that have one, and remember which rows there are."""
    with duckdb.connect(build_path(settings)) as connection:
        for table, column in MARKED.items():
            connection.execute(f"update {table} set {column} = -1 where {column} is not null")
            connection.execute(f"create or replace table {table}_before as from {table}")


def computed_anew(settings: Settings, table: str, key: str) -> set[tuple[object, ...]]:
    """Keys of the rows that are not as they were marked, or are new."""
    unmarked = f"select {key} from {table} where {MARKED[table]} <> -1"
    new = f"select {key} from {table} except select {key} from {table}_before"
    return set(rows(settings, f"({unmarked}) union all ({new})"))


@pytest.mark.parametrize(("week", "looked_back_on"), [(5, 0), (4, 0), (2, 2), (0, 3)])
def test_a_night_computes_its_week_anew_and_the_three_weeks_that_look_back_on_it(
    week: int, looked_back_on: int, settings: Settings
) -> None:
    mark(settings)
    land(settings, [night("user-1", MONDAY + timedelta(weeks=week, days=6))])
    assert run_build(settings, AS_OF).touched_weeks == 1 + looked_back_on
    assert computed_anew(settings, "weekly_trends", "user_id, week_start") == {
        ("user-1", MONDAY + timedelta(weeks=week + later)) for later in range(1 + looked_back_on)
    }
    assert computed_anew(settings, "cohort_metrics", "week_start") == {
        (MONDAY + timedelta(weeks=week),),
        (None,),
    }


def test_a_build_of_nothing_new_computes_no_week_anew(settings: Settings) -> None:
    mark(settings)
    assert run_build(settings, AS_OF).touched_weeks == 0
    for table in MARKED:
        assert not computed_anew(settings, table, "week_start")


def test_a_session_that_moves_to_another_week_is_taken_out_of_the_first(settings: Settings) -> None:
    day = MONDAY + timedelta(weeks=1, days=1)
    land(settings, [night("user-1", day + timedelta(weeks=2, days=1), session=day.isoformat(), sent=1)])
    assert run_build(settings, AS_OF).touched_weeks == 4
    weeks = rows(settings, "select week_start, nights from weekly_trends where user_id = 'user-1' order by 1")
    assert [nights for _, nights in weeks] == [1, 1, 2, 1]
    assert_equals_a_full_build(settings)


def test_a_night_before_all_others_moves_its_user_to_another_cohort_of_beginners(settings: Settings) -> None:
    land(settings, [night("user-2", MONDAY - timedelta(days=3))])
    run_build(settings, AS_OF)
    cohorts = "select cohort, users from cohort_metrics where cohort_type = 'first_night_week'"
    assert rows(settings, f"{cohorts} and week_start = '2026-01-12' order by all") == [
        ("2025-12-29", 1),
        ("2026-01-05", 5),
    ]
    assert_equals_a_full_build(settings)


def test_a_first_night_that_turns_out_sleepless_is_none(settings: Settings) -> None:
    land(settings, [night("user-0", MONDAY, slept=0, sent=1)])
    run_build(settings, AS_OF)
    assert rows(settings, "select first_night from users where user_id = 'user-0'") == [(date(2026, 1, 12),)]
    assert_equals_a_full_build(settings)


def test_another_users_file_moves_its_users_in_all_weeks(settings: Settings) -> None:
    assert settings.users_path is not None
    changed = USERS_FILE.replace("user-0,1980,female", "user-0,1960,male")
    changed = changed.replace("user-3,1983,female,Asia/Seoul,2026-01-04\n", "somebody,1950,,,\n")
    settings.users_path.write_text(changed, encoding="utf-8")
    report = run_build(settings, AS_OF)
    assert report.touched_weeks == 0
    genders = rows(
        settings,
        "select cohort, count(*), sum(users) from cohort_metrics where cohort_type = 'gender' group by all"
        " order by all",
    )
    assert genders == [("female", 6, 24), ("male", 6, 6), ("unknown", 6, 6)]
    assert_equals_a_full_build(settings)


def test_a_build_in_small_chunks_of_weeks_has_the_same_rows(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse, "WEEKS_PER_CHUNK", 4)
    land(settings, weeks_of_nights(range(4, 7)))
    assert run_build(settings, AS_OF).touched_weeks == 3 * len(USERS)
    monkeypatch.undo()
    assert_equals_a_full_build(settings)
