"""Runs whose process was killed."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from ingest.settings import Settings
from pipelines.database import build_lock
from pipelines.instance import dagster_home
from pipelines.lost_runs import fail_lost_runs


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = dagster_home(settings)
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


def run_with_status(home: Path, status: dg.DagsterRunStatus) -> str:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run: dg.DagsterRun = instance.create_run_for_job(_job, status=status)
        return run.run_id


def status_of(home: Path, run_id: str) -> dg.DagsterRunStatus:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        return run.status


def test_a_run_under_way_is_failed_when_nobody_builds(settings: Settings, home: Path) -> None:
    lost = run_with_status(home, dg.DagsterRunStatus.STARTED)
    assert fail_lost_runs(settings) == [lost]
    assert status_of(home, lost) is dg.DagsterRunStatus.FAILURE


def test_a_finished_run_stays_as_it_is(settings: Settings, home: Path) -> None:
    done = run_with_status(home, dg.DagsterRunStatus.SUCCESS)
    assert fail_lost_runs(settings) == []
    assert status_of(home, done) is dg.DagsterRunStatus.SUCCESS


def test_a_run_under_way_is_left_alone_while_somebody_builds(settings: Settings, home: Path) -> None:
    alive = run_with_status(home, dg.DagsterRunStatus.STARTED)
    with build_lock(settings):
        assert fail_lost_runs(settings) == []
    assert status_of(home, alive) is dg.DagsterRunStatus.STARTED


@dg.op
def _nothing() -> None: ...


@dg.job
def _job() -> None:
    _nothing()
