"""What keeps a run from publishing, what does not, and how a failure is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ingest.settings import Settings
from pipelines import warehouse
from pipelines.checks import PUBLISHED
from pipelines.definitions import build_defs
from pipelines.models import SqlFile, load_models
from pipelines.publishing import PublishError, current_version
from pipelines.quality import Check, CheckResult, Severity, load_checks
from tests.pipelines.dagster_runs import execute, land_two_nights, metadata_of, published_rows, report
from tests.raw_events import Event, land


def steps(result: dg.ExecuteInProcessResult, kind: dg.DagsterEventType) -> set[str | None]:
    return {event.step_key for event in result.all_events if event.event_type is kind}


def described(failure: dg.DagsterEvent) -> str:
    data = failure.step_failure_data.user_failure_data
    assert data
    return data.description or ""


def failing(severity: Severity) -> tuple[Check, Any]:
    """A check of sessions, and a build in which it finds two rows."""
    query = SqlFile("sessions__is_in_order", Path("x.sql"), "from sessions", "All is well.", {}, {})
    check = Check("is_in_order", "sessions", severity, query)

    def build(settings: Settings, **how: Any) -> warehouse.BuildReport:
        report = warehouse.build(settings, **how)
        report.checks = [*report.checks, CheckResult(check, 2, ["('ada',)", "('ben',)"])]
        return report

    return check, build


def test_a_failed_blocking_check_leaves_the_published_version_as_it_was(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land_two_nights(settings)
    assert execute(settings, instance).success
    land(settings, [report("cyd", "c-1")])
    check, build = failing(Severity.BLOCK)
    defs = build_defs(settings=settings, checks=[*load_checks(), check], build=build)
    result = execute(settings, instance, defs=defs)
    assert not result.success
    assert steps(result, dg.DagsterEventType.STEP_FAILURE) == {"build"}
    assert PUBLISHED not in steps(result, dg.DagsterEventType.STEP_START)
    assert metadata_of(result).keys() == {model.name for model in load_models()}
    evaluations = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert len(evaluations) == len({one.name for one in [*load_checks(), check]})
    assert not evaluations["is_in_order"].passed
    assert evaluations["is_in_order"].metadata["offending rows"].value == 2
    assert "('ben',)" in str(evaluations["is_in_order"].metadata["first offending rows"].value)
    assert current_version(settings) == 1
    assert published_rows(settings, "select count(*) from sessions") == [(2,)]


def test_a_failed_warning_check_does_not_keep_a_build_from_analysts(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land(settings, [report("ada", "a-1"), Event(body={"event": "SOMETHING_ELSE"}, user_id="ada")])
    result = execute(settings, instance)
    assert result.success
    failed = {one.check_name: one for one in result.get_asset_check_evaluations() if not one.passed}
    assert failed["is_empty"].severity is dg.AssetCheckSeverity.WARN
    assert published_rows(settings, "select count(*) from quarantined_events") == [(1,)]


def test_without_any_event_there_is_an_empty_warehouse_and_a_warning(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    result = execute(settings, instance)
    assert result.success
    evaluations = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert evaluations["newest_event_is_recent"].description == "no event has arrived yet"
    assert published_rows(settings, "select count(*) from sessions") == [(0,)]


@pytest.mark.parametrize(
    ("as_of", "complaint"), [("yesterday", "as_of: Invalid"), ("2026-01-08T00:00:00", "has no offset")]
)
def test_a_wrong_moment_is_refused_in_words(
    settings: Settings, instance: dg.DagsterInstance, as_of: str, complaint: str
) -> None:
    result = execute(settings, instance, as_of=as_of)
    [failure] = result.get_step_failure_events()
    assert complaint in described(failure)
    assert not settings.published_path.exists()


def test_a_build_that_can_not_start_says_what_to_do(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = Settings(data_dir=tmp_path / "data", users_file=tmp_path / "none.csv")
    [failure] = execute(settings, instance).get_step_failure_events()
    assert "ASLEEP_USERS_FILE" in described(failure)


def test_a_publication_that_is_refused_says_why(settings: Settings, instance: dg.DagsterInstance) -> None:
    def refuse(_: Settings) -> Path:
        raise PublishError("blocking checks failed: sessions.unique_key (1 rows)")

    result = execute(settings, instance, defs=build_defs(settings=settings, publish=refuse))
    [failure] = result.get_step_failure_events()
    assert failure.step_key == PUBLISHED
    assert "sessions.unique_key" in described(failure)


def test_settings_come_from_the_environment_of_the_run(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASLEEP_DATA_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("ASLEEP_KEEP_VERSIONS", "none")
    defs = build_defs()
    settings = Settings.model_construct(data_dir=tmp_path / "elsewhere")
    [failure] = execute(settings, instance, defs=defs).get_step_failure_events()
    assert "keep_versions" in described(failure)
    monkeypatch.setenv("ASLEEP_KEEP_VERSIONS", "1")
    assert execute(settings, instance, defs=defs).success
    assert (tmp_path / "elsewhere" / "warehouse.duckdb").exists()
