"""The landed files looked after from Dagster: joined, retired, proved; and what it says of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ingest.compaction import CompactionReport
from ingest.event_log.base import LogUnavailable
from ingest.landed_files import landed_files
from ingest.raw_store import open_store
from ingest.raw_store.base import StoreUnavailable
from ingest.records import Topic
from ingest.retention import RetirementReport
from ingest.settings import Settings
from ingest.verdict import VerifyReport
from pipelines.assets import LANDED
from pipelines.database import build_lock
from pipelines.definitions import build_defs
from pipelines.publishing import publish
from pipelines.retention import retire_loaded
from pipelines.upkeep import LANDED_ONCE, UPKEEP_JOB, upkeep_asset
from tests.builds import rows, run_build, settings_for
from tests.integration.lander_process import append_events
from tests.pipelines.dagster_runs import QUIET, metadata_of
from tests.raw_events import land, simulated_events

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING = VerifyReport((), (), ())


def run_upkeep(settings: Settings, **parts: Any) -> dg.ExecuteInProcessResult:
    asset = upkeep_asset(lambda: settings, **parts)
    job = dg.Definitions(assets=[asset], jobs=[dg.define_asset_job(UPKEEP_JOB)]).resolve_job_def(UPKEEP_JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            run_config=dg.RunConfig(loggers=QUIET), instance=instance, raise_on_error=False
        )


def verdict_of(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    [evaluation] = result.get_asset_check_evaluations()
    assert evaluation.check_name == LANDED_ONCE
    return evaluation


def test_a_night_of_upkeep_on_an_embedded_log(tmp_path: Path) -> None:
    from ingest.lander import land as land_log  # noqa: PLC0415  beside another function of that name

    settings = Settings(data_dir=tmp_path, land_max_rows=10)
    append_events(settings, 35)
    land_log(settings, once=True)
    before = len(landed_files(open_store(settings), Topic.EVENTS))
    job = build_defs(settings=settings).resolve_job_def(UPKEEP_JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(run_config=dg.RunConfig(loggers=QUIET), instance=instance)
    assert verdict_of(result).passed
    [said] = metadata_of(result).values()
    assert said["files before"] >= before
    assert said["removed for their age"] == said["left alone"] == 0
    table = verdict_of(result).metadata["partitions"].value
    assert "asleep.events / 0" in str(table)
    run_build(settings, NOW)
    counts = "sum(row_count), sum(missing_count), sum(not_yet_landed_count), count(proved_at)"
    assert rows(settings, f"select {counts} from landing_proof") == [(35, 0, 0, 2)]


def test_what_the_lander_has_still_before_it_is_no_fault_and_a_lost_file_is(tmp_path: Path) -> None:
    from ingest.lander import land as land_log  # noqa: PLC0415  beside another function of that name

    settings = Settings(data_dir=tmp_path, land_max_rows=10)
    append_events(settings, 40)
    land_log(settings, once=True)
    append_events(settings, 3)
    assert verdict_of(run_upkeep(settings)).passed
    first = landed_files(open_store(settings), Topic.EVENTS)[0]
    open_store(settings).remove(first.name)
    verdict = verdict_of(run_upkeep(settings))
    assert not verdict.passed
    assert "in no file" in str(verdict.metadata["problems"].value)


@pytest.mark.parametrize("error", [LogUnavailable("nobody there"), StoreUnavailable("nobody there")])
def test_a_log_or_a_store_that_is_away_fails_the_check_and_not_the_run(
    tmp_path: Path, error: Exception
) -> None:
    def verify(_: Settings) -> VerifyReport:
        raise error

    result = run_upkeep(Settings(data_dir=tmp_path), verify=verify)
    assert result.success
    assert not verdict_of(result).passed
    assert "nobody there" in str(verdict_of(result).description)


def test_the_figures_are_those_of_the_reports(tmp_path: Path) -> None:
    result = run_upkeep(
        Settings(data_dir=tmp_path),
        compact=lambda _: CompactionReport(
            joined=5, made=1, rows=9, bytes_before=100, bytes_after=40, files_before=7, files_after=3
        ),
        retire=lambda _: RetirementReport(removed={"asleep.events": 2}),
        verify=lambda _: NOTHING,
    )
    assert metadata_of(result)[LANDED] == {
        "files before": 7,
        "files": 1,
        "joined": 5,
        "made": 1,
        "rows joined": 9,
        "bytes saved": 60,
        "removed for their age": 2,
        "left alone": 0,
    }


def test_only_what_analysts_can_see_is_retired(tmp_path: Path) -> None:
    settings = settings_for(tmp_path).model_copy(update={"keep_events_days": 10})
    events = simulated_events(users=2, days=2)
    for part in (events[:50], events[50:100], events[100:]):
        land(settings, part)

    def names() -> list[str]:
        return [file.name for file in landed_files(open_store(settings), Topic.EVENTS)]

    first, second, newest = names()
    assert retire_loaded(settings, now=NOW).files == 0
    run_build(settings, NOW)
    assert retire_loaded(settings, now=NOW).files == 0
    with build_lock(settings):
        publish(settings)
    assert retire_loaded(settings, now=datetime(2026, 1, 10, tzinfo=UTC)).files == 0
    assert retire_loaded(settings, now=NOW).removed == {Topic.EVENTS: 2}
    assert names() == [newest]
    assert first != second


@pytest.mark.parametrize(("kept", "is_full"), [(None, True), (400, False)])
def test_monday_builds_everything_anew_only_where_all_raw_files_are_kept(
    tmp_path: Path, kept: int | None, *, is_full: bool
) -> None:
    settings = Settings(data_dir=tmp_path, keep_attempts_days=kept)
    schedule = build_defs(settings=settings).get_repository_def().get_schedule_def("weekly_trends_monday")
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime.combine(date(2026, 3, 2), NOW.time(), UTC)
    )
    [request] = schedule.evaluate_tick(context).run_requests or []
    assert request.run_config["ops"]["build"]["config"]["full"] is is_full
