"""What a seal proves: what passed is what is published, and what the next build need not look at again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from ingest.settings import Settings
from pipelines import publishing, warehouse
from pipelines.database import build_lock, build_path
from pipelines.models import Model
from pipelines.quality import CheckResult
from pipelines.seals import break_seal, is_sealed, is_sealed_copy, seal
from pipelines.statements import refresh
from tests.builds import build_of, models_read_once, rows
from tests.publications import AS_OF, newest_build, publish_now
from tests.raw_events import Event, land, simulated_events


@pytest.fixture(scope="module", autouse=True)
def _models_are_read_once() -> Iterator[None]:
    with models_read_once():
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A full build that is published; nobody writes to it."""
    settings = build_of(tmp_path_factory.mktemp("built"), simulated_events(users=3, days=1), AS_OF)
    publish_now(settings)
    return settings


@pytest.fixture
def settings(built: Settings, tmp_path: Path) -> Settings:
    """A copy of the build, with its seal, and a new event landed."""
    shutil.copytree(built.data_dir, tmp_path / "data", symlinks=True)
    settings = Settings(data_dir=tmp_path / "data")
    window = {"event": "INFERENCE_COMPLETE", "session_id": "new", "sleep_stages": [1] * 10}
    land(settings, [Event(body=window, user_id="new", received_at=AS_OF)])
    return settings


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The copies on which checks are run."""
    proved = []
    prove = publishing.prove

    def remember(path: Path) -> list[CheckResult]:
        proved.append(path)
        return prove(path)

    monkeypatch.setattr(publishing, "prove", remember)
    return proved


def build_now(settings: Settings, *, full: bool = False, days_later: int = 0) -> warehouse.BuildReport:
    with build_lock(settings):
        return warehouse.build(settings, full=full, as_of=AS_OF + timedelta(days=days_later))


def break_an_old_timeline(settings: Settings) -> None:
    """One that the next build does not touch."""
    with duckdb.connect(build_path(settings)) as connection:
        connection.execute(
            "update int_session_epochs set stages = stages[2:]"
            " where session_id = (select min(session_id) from sessions where is_final)"
        )


def blocked(report: warehouse.BuildReport) -> set[str]:
    return {result.check.query.name for result in report.checks if result.blocks}


def test_a_build_that_passed_is_published_as_it_is_without_checking_it_again(
    settings: Settings, proofs: list[Path]
) -> None:
    assert not build_now(settings).checks_everything
    publish_now(settings)
    assert not proofs
    assert newest_build(settings) == 2


@pytest.mark.parametrize("full", [True, False])
def test_what_was_built_anew_or_changed_since_is_checked_on_the_copy(
    full: bool, settings: Settings, proofs: list[Path]
) -> None:
    build_now(settings, full=full)
    if not full:
        with duckdb.connect(build_path(settings)) as connection:
            connection.execute("create table mine as select 1")
    assert len(proofs) == 0
    path = publish_now(settings)
    assert proofs == [path]
    assert is_sealed(build_path(settings))


def test_a_build_on_a_file_that_somebody_else_wrote_to_checks_everything(settings: Settings) -> None:
    break_an_old_timeline(settings)
    report = build_now(settings)
    assert report.checks_everything
    assert "stage_timelines__arrays_are_aligned" in blocked(report)
    with pytest.raises(publishing.PublishError, match="arrays_are_aligned"):
        publish_now(settings)


def test_a_fault_that_one_build_found_is_found_by_the_next_one_too(settings: Settings) -> None:
    break_an_old_timeline(settings)
    assert blocked(build_now(settings)) == blocked(build_now(settings)) != set()


def test_the_first_build_of_a_week_checks_everything(settings: Settings, proofs: list[Path]) -> None:
    assert AS_OF.isoweekday() == 6
    assert not build_now(settings, days_later=1).checks_everything
    assert build_now(settings, days_later=2).checks_everything
    publish_now(settings)
    assert len(proofs) == 1
    assert not build_now(settings, days_later=3).checks_everything


def test_touched_sessions_are_checked_in_every_build(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refresh_wrongly(
        connection: duckdb.DuckDBPyConnection, model: Model, parameters: dict[str, object]
    ) -> None:
        refresh(connection, model, parameters)
        if model.name == "int_session_epochs":
            connection.execute("update int_session_epochs set stages = stages[2:] where session_id = 'new'")

    monkeypatch.setattr(warehouse, "refresh", refresh_wrongly)
    report = build_now(settings)
    assert not report.checks_everything
    assert {"stage_timelines__arrays_are_aligned", "stage_runs__cover_the_timeline"} & blocked(report)
    assert not is_sealed(build_path(settings))


def test_checks_of_touched_sessions_leave_no_view_behind(settings: Settings) -> None:
    report = build_now(settings)
    [(counts, sessions, epochs)] = rows(
        settings,
        "select (select arg_max(row_counts, build_id) from build_info), (select count(*) from sessions),"
        " (select count(*) from int_session_epochs)",
    )
    assert (sessions, epochs) == (
        json.loads(counts)["sessions"],
        report.row_counts["int_session_epochs"],
    )
    assert sessions > report.touched_sessions


def test_a_seal_fits_the_bytes_and_nothing_else(tmp_path: Path) -> None:
    path, copy = tmp_path / "build.duckdb", tmp_path / "copy"
    path.write_bytes(b"rows")
    assert not is_sealed(path)
    seal(path)
    shutil.copyfile(path, copy)
    assert is_sealed(path)
    assert is_sealed_copy(copy, path)
    copy.write_bytes(b"rowz")
    assert not is_sealed_copy(copy, path)
    os.utime(path, ns=(0, 0))
    assert not is_sealed(path)
    (tmp_path / "build.seal").write_text("", encoding="ascii")
    assert not is_sealed_copy(copy, path)
    break_seal(path)
    assert not (tmp_path / "build.seal").exists()
