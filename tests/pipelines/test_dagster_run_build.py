"""One build from the command line, and the home of the Dagster instance that shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
import yaml

from ingest.settings import Settings
from pipelines.arrivals import arrivals, is_ahead, published_offsets
from pipelines.instance import INSTANCE_FILE, dagster_home
from pipelines.run import run_build
from tests.pipelines.dagster_runs import AS_OF, land_two_nights, report
from tests.raw_events import land


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line is started from anywhere, with no home set."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def paths_in(value: object) -> list[Path]:
    """Every base_dir anywhere in a Dagster configuration."""
    if not isinstance(value, dict):
        return []
    here = [Path(value["base_dir"])] if "base_dir" in value else []
    return here + [path for part in value.values() for path in paths_in(part)]


def test_the_run_is_kept_below_the_data_folder_and_nowhere_else(settings: Settings, tmp_path: Path) -> None:
    land_two_nights(settings)
    run = run_build(settings, as_of=AS_OF)
    assert run.success
    assert run.problems == ()
    assert run.report
    assert (run.report.as_of, run.report.new_files, run.report.is_full) == (AS_OF, 1, True)
    assert run.published == settings.published_path.resolve()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "elsewhere"]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    with dg.DagsterInstance.from_config(str(dagster_home(settings))) as instance:
        record = instance.get_run_record_by_id(run.run_id)
        assert record
        assert record.dagster_run.status is dg.DagsterRunStatus.SUCCESS
        assert instance.get_latest_materialization_event(dg.AssetKey("sessions"))


def test_the_instance_of_dagster_home_is_taken_where_that_is_set(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    run = run_build(settings, as_of=AS_OF)
    assert run.success
    assert not (settings.data_dir / "dagster").exists()
    with dg.DagsterInstance.get() as instance:
        assert instance.has_run(run.run_id)


def test_a_failed_build_is_in_the_result_in_words(
    settings: Settings, instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = settings.model_copy(update={"users_file": Path("none.csv")})
    run = run_build(settings, instance=instance)
    assert not run.success
    assert [problem.split(":")[0] for problem in run.problems] == ["ASLEEP_USERS_FILE"]
    assert (run.report, run.published) == (None, None)
    assert capfd.readouterr() == ("", "")


def test_an_error_of_the_database_is_in_the_result_in_words(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land_two_nights(settings)
    land(settings, [report("cyd", "c-1")]).write_bytes(b"not a Parquet file")
    run = run_build(settings, instance=instance)
    assert not run.success
    [problem] = run.problems
    assert ".parquet" in problem
    assert "Traceback" not in problem
    assert not settings.published_path.exists()


def test_a_full_build_is_asked_for_by_the_command_line(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land_two_nights(settings)
    assert run_build(settings, instance=instance).success
    second = run_build(settings, instance=instance, full=True)
    assert second.report
    assert second.report.is_full
    assert abs(second.report.as_of - datetime.now(UTC)).total_seconds() < 600


def test_the_home_is_the_projects_own_set_up_with_absolute_paths() -> None:
    relative = Settings(data_dir=Path("data"))
    home = dagster_home(relative)
    assert home == Path.cwd() / "data" / "dagster"
    ours = yaml.safe_load(INSTANCE_FILE.read_text())
    theirs = yaml.safe_load((home / "dagster.yaml").read_text())
    assert len(paths_in(ours)) == len(paths_in(theirs)) == 3
    assert all(path.is_relative_to(home) for path in paths_in(theirs))
    assert theirs["concurrency"] == ours["concurrency"]
    assert dagster_home(relative) == home
    assert [path.name for path in home.iterdir()] == ["dagster.yaml"]


def test_what_is_published_is_told_from_what_has_landed(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land_two_nights(settings)
    assert published_offsets(settings) == {}
    assert run_build(settings, as_of=AS_OF, instance=instance).success
    assert published_offsets(settings) == {"testlog/asleep.events/0": 1}
    land(settings, [report("cyd", "c-1")], log_id="another")
    landed = arrivals(settings, "asleep.events")
    assert landed.offsets == {"testlog/asleep.events/0": 1, "another/asleep.events/0": 0}
    assert is_ahead(landed.offsets, published_offsets(settings))
    assert [file.log_id for file in landed.after(published_offsets(settings)).files] == ["another"]
    assert arrivals(settings, "asleep.attempts").newest_received_at() is None
