"""Every check holds on a sound warehouse, and each one finds the fault that it is there for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.database import build_path
from pipelines.models import ModelError
from pipelines.quality import OF_ONE_SESSION, Severity, load_checks, run_checks
from tests.builds import build_of
from tests.raw_events import simulated_events

AS_OF = datetime(2026, 1, 10, tzinfo=UTC)
CHECKS = {check.query.name: check for check in load_checks()}

ONE = "rowid = (select min(rowid) from {table})"
FAULTS = {
    "cohort_metrics__all_holds_everyone": "update cohort_metrics set nights = nights + 1",
    "cohort_metrics__small_cohorts_tell_nothing": (
        "update cohort_metrics set rem_pct_p25 = null where cohort_type = 'all'"
    ),
    "cohort_metrics__types_add_up": "delete from cohort_metrics where cohort_type = 'signup_week'",
    "cohort_metrics__unique_key": "insert into cohort_metrics select * from cohort_metrics limit 1",
    "int_session_events__are_staged": (
        "delete from stg_events where rowid = (select max(rowid) from stg_events)"
    ),
    "cohort_retention__begins_with_everyone": (
        "update cohort_retention set active_users = 0 where cohort_type = 'first_night_week'"
    ),
    "cohort_retention__unique_key": "insert into cohort_retention select * from cohort_retention limit 1",
    "int_session_events__duplicates_name_the_first": (
        "update int_session_events set duplicate_of_receipt_id = receipt_id where is_duplicate"
    ),
    "nightly_completeness__clocks_agree": "update int_session_completeness set report_delay_seconds = -301",
    "nightly_completeness__every_main_sleep": "delete from int_nights where session_id is not null",
    "nightly_completeness__unique_key": "insert into int_nights select * from int_nights limit 1",
    "nightly_completeness__windows_add_up": "update int_session_completeness set missing_windows = [0, 0, 0]",
    "quarantined_events__holds_every_rejected_body": "delete from quarantined_events where not is_partial",
    "quarantined_events__is_empty": "update quarantined_events set field = field",
    "quarantined_events__resolved_by_a_whole_event": (
        "update quarantined_events set resolved_at = first_seen_at"
    ),
    "quarantined_events__unique_key": "insert into quarantined_events from quarantined_events limit 1",
    "sessions__dates_fit": "update sessions set sleep_date = sleep_date + 1",
    "sessions__epochs_add_up": "update sessions set waso_seconds = waso_seconds + sleep_period_seconds",
    "sessions__every_accepted_session": "delete from sessions where rowid = 0",
    "sessions__figures_are_plausible": "update sessions set missing_data_ratio = 2",
    "sessions__name_their_report": "update sessions set raw_receipt_id = 'no receipt' where is_final",
    "sessions__not_null": "update sessions set validity = null where rowid = 0",
    "sessions__one_main_sleep": "update sessions set is_main_sleep = false",
    "sessions__shares_in_range": "update sessions set light_pct = light_pct + 1",
    "sessions__span_agrees_with_stages": "update sessions set time_in_bed_seconds = time_in_bed_seconds + 31",
    "sessions__totals_equal_timeline": "update sessions set time_in_rem_seconds = time_in_rem_seconds + 30",
    "sessions__unique_key": "insert into sessions select * from sessions limit 1",
    "sessions__zone_is_known": "update sessions set timezone_source = 'default' where rowid = 0",
    "stage_runs__cover_the_timeline": "delete from int_stage_runs where run_index = 1",
    "stage_timelines__arrays_are_aligned": "update int_session_epochs set stages = stages[2:]",
    "stage_timelines__no_epoch_twice": (
        "insert into int_session_epochs select * from int_session_epochs limit 1"
    ),
    "stage_timelines__values_in_range": "update int_session_epochs set stages = list_append(stages[2:], 4)",
    "stat_reconciliation__sessions_agree": (
        "update int_vendor_statistics set vendor_waso_count = vendor_waso_count + 1"
    ),
    "stg_events__is_a_session_event_or_quarantined": "delete from int_session_events",
    "stg_events__no_more_than_was_loaded": "update loaded_offsets set first_offset = first_offset + 1",
    "stg_events__offsets_without_a_hole": "update loaded_offsets set last_offset = last_offset + 1",
    "stg_events__unique_position": "insert into stg_events select * from stg_events limit 1",
    "users__are_known": "insert into stg_users (user_id) values ('somebody')",
    "users__nights_equal_sessions": "update users set last_night = last_night + 1",
    "users__unique_key": "insert into users select * from users limit 1",
    "weekly_activity__adds_up": "update weekly_activity set new_users = 0",
    "weekly_activity__unique_key": "insert into weekly_activity select * from weekly_activity limit 1",
    "weekly_trends__every_night_has_its_figures": "update weekly_trends set deep_pct_mean = null",
    "weekly_trends__look_back_on_the_weeks_before": (
        "update weekly_trends set time_in_sleep_seconds_mean = time_in_sleep_seconds_mean + 1"
    ),
    "weekly_trends__nights_equal_sessions": "update weekly_trends set nights = nights + 1",
    "weekly_trends__unique_key": "insert into weekly_trends select * from weekly_trends limit 1",
    "weekly_trends__values_are_possible": "update weekly_trends set sleep_regularity_index = 101",
}
"""What breaks a sound warehouse so that a check must say it; the warehouse has bad bodies as it is."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    settings = build_of(tmp_path_factory.mktemp("quality"), simulated_events(users=4, days=2), AS_OF)
    with duckdb.connect(build_path(settings)) as connection:
        yield connection


@pytest.fixture
def breakable(database: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    database.begin()
    yield database
    database.rollback()


def test_no_blocking_check_fails_on_a_sound_warehouse(database: duckdb.DuckDBPyConnection) -> None:
    results = run_checks(database, list(CHECKS.values()))
    assert {result.check.query.name for result in results if result.blocks} == set()
    assert len(results) == len(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_finds_its_fault(name: str, breakable: duckdb.DuckDBPyConnection) -> None:
    breakable.execute(FAULTS[name])
    [result] = run_checks(breakable, [CHECKS[name]])
    assert not result.passed
    assert 0 < len(result.sample) <= 10
    assert result.blocks == (CHECKS[name].severity is Severity.BLOCK)


@pytest.mark.parametrize("name", sorted(OF_ONE_SESSION))
@pytest.mark.parametrize("touched", [True, False])
def test_a_check_of_one_session_finds_the_faults_of_touched_sessions_alone(
    name: str, touched: bool, breakable: duckdb.DuckDBPyConnection
) -> None:
    breakable.execute(FAULTS[name])
    breakable.execute(
        "create or replace temp table all_touched_sessions as"
        f" select distinct user_id, session_id from stg_events where {touched}"
    )
    [result] = run_checks(breakable, [CHECKS[name]], touched_only=True)
    assert result.passed is not touched
    assert not breakable.sql("from duckdb_views() where temporary and not internal").fetchall()


def test_every_fault_has_its_check() -> None:
    assert FAULTS.keys() == CHECKS.keys()


def write_check(folder: Path, name: str, text: str) -> None:
    (folder / "checks").mkdir()
    (folder / "checks" / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sessions.sql", "-- severity: block\n-- It must hold.\nselect 1"),
        ("sessions__holds.sql", "-- severity: perhaps\n-- It must hold.\nselect 1"),
        ("sessions__holds.sql", "-- It must hold.\nselect 1"),
        ("sessions__holds.sql", "-- severity: warn\nselect 1"),
    ],
)
def test_a_check_that_does_not_say_what_it_is_is_refused(name: str, text: str, tmp_path: Path) -> None:
    write_check(tmp_path, name, text)
    with pytest.raises(ModelError, match=name):
        load_checks(tmp_path)


def test_a_check_that_finds_much_counts_all_and_shows_a_few(tmp_path: Path) -> None:
    write_check(
        tmp_path, "numbers__are_few.sql", "-- severity: warn\n-- There are few.\nselect * from range(1000)"
    )
    with duckdb.connect() as connection:
        [result] = run_checks(connection, load_checks(tmp_path))
    assert (result.offending_rows, len(result.sample), result.blocks) == (1000, 10, False)
