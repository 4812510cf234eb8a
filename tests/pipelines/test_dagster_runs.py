"""Runs of the job: what they materialize, publish and say, and what keeps them from publishing."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ingest.settings import Settings
from pipelines import publishing, table_metadata, warehouse
from pipelines.checks import PUBLISHED
from pipelines.definitions import build_defs
from pipelines.models import Layer, load_models
from pipelines.publishing import current_version
from pipelines.quality import load_checks
from tests.pipelines.dagster_runs import AS_OF, execute, land_two_nights, metadata_of, published_rows

PATIENCE = 60


class FirstRun:
    """A run over two nights, and what was there after it."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder / "data")
        land_two_nights(self.settings)
        with dg.DagsterInstance.ephemeral() as instance:
            self.result = execute(self.settings, instance)
            self.metadata = metadata_of(self.result)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    return FirstRun(tmp_path_factory.mktemp("first"))


def test_a_run_materializes_every_model_and_publishes(first_run: FirstRun) -> None:
    assert first_run.result.success
    assert first_run.metadata.keys() == {model.name for model in load_models()} | {PUBLISHED}
    assert published_rows(first_run.settings, "select user_id, session_id from sessions order by all") == [
        ("ada", "a-1"),
        ("ben", "b-1"),
    ]


def test_every_check_is_evaluated(first_run: FirstRun) -> None:
    evaluations = first_run.result.get_asset_check_evaluations()
    names = {(one.asset_key.to_user_string(), one.check_name) for one in evaluations}
    assert names == {(check.table, check.name) for check in load_checks()} | {
        (PUBLISHED, "newest_event_is_recent")
    }
    assert {one.check_name for one in evaluations if not one.passed} == {"newest_event_is_recent"}


def test_a_table_shows_its_columns_types_and_sources(first_run: FirstRun) -> None:
    for model in load_models():
        schema = first_run.metadata[model.name]["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema)
        assert schema.columns
        if model.layer is Layer.MARTS:
            assert [column.name for column in schema.columns if not column.description] == []
    sessions = first_run.metadata["sessions"]
    columns = {column.name: column for column in sessions["dagster/column_schema"].columns}
    assert columns["started_at"].type == "TIMESTAMP WITH TIME ZONE"
    assert columns["started_at"].description == (
        "instant (UTC) at which tracking started [from int_sessions.started_at]"
    )
    lineage = sessions["dagster/column_lineage"]
    assert lineage.deps_by_column["sleep_latency_seconds"] == [
        dg.TableColumnDep(dg.AssetKey("int_sessions"), "sleep_latency_seconds")
    ]
    assert sessions["dagster/row_count"] == 2


def test_a_mart_shows_a_few_rows_and_the_timelines_show_a_picture(first_run: FirstRun) -> None:
    for model in load_models():
        assert ("preview" in first_run.metadata[model.name]) == (model.layer is Layer.MARTS)
    preview = first_run.metadata["sessions"]["preview"]
    assert "| column | row 1 | row 2 |" in preview
    assert "| session\\_id | a-1 | b-1 |" in preview or "| session\\_id | b-1 | a-1 |" in preview
    assert "data:image/svg+xml;base64," in first_run.metadata["stage_timelines"]["newest night"]


def test_the_published_warehouse_says_what_it_is(first_run: FirstRun) -> None:
    published = first_run.metadata[PUBLISHED]
    assert published["version"] == current_version(first_run.settings) == 1
    assert published["as of"] == AS_OF.timestamp()
    assert str(first_run.settings.published_path.absolute()) in published["open"]
    assert "| sessions | 2 |" in published["rows"]


def test_further_runs_without_new_files_change_no_row_and_say_what_they_did(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land_two_nights(settings)
    assert execute(settings, instance).success
    before = published_rows(settings, "from sessions order by all")
    again = execute(settings, instance)
    assert again.success
    assert published_rows(settings, "from sessions order by all") == before
    assert current_version(settings) == 2
    assert metadata_of(again)["stg_events"]["computed anew"] == "rows of 0 new files"
    assert metadata_of(again)["sessions"]["computed anew"] == "0 weeks of users"
    full = execute(settings, instance, full=True)
    assert published_rows(settings, "from sessions order by all") == before
    assert metadata_of(full)["sessions"]["computed anew"] == "everything"
    assert metadata_of(full)[PUBLISHED]["full build"] is True


def test_lineage_is_found_once_for_the_same_sql(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = metadata_of(execute(settings, instance))
    monkeypatch.setattr(table_metadata, "column_lineage", lambda *_: pytest.fail("found again"))
    second = metadata_of(execute(settings, instance))
    assert first["sessions"][table_metadata.LINEAGE].deps_by_column
    assert second["sessions"][table_metadata.LINEAGE] == first["sessions"][table_metadata.LINEAGE]


def test_two_runs_at_once_build_one_after_the_other(settings: Settings) -> None:
    land_two_nights(settings)
    inside = threading.Lock()
    second_waits = threading.Event()

    class Waiting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "another build is running" in record.getMessage():
                second_waits.set()

    def build(settings: Settings, **how: Any) -> warehouse.BuildReport:
        assert inside.acquire(blocking=False), "two builds at once"
        try:
            assert second_waits.wait(PATIENCE), "the second build never came to the lock"
            return warehouse.build(settings, **how)
        finally:
            inside.release()

    def run() -> bool:
        with dg.DagsterInstance.ephemeral() as instance:
            return execute(settings, instance, defs=build_defs(settings=settings, build=build)).success

    logger = logging.getLogger("pipelines.database")
    handler = Waiting()
    previous = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(lambda _: run(), range(2))) == [True, True]
    finally:
        logger.removeHandler(handler)
        logger.setLevel(previous)
    assert published_rows(settings, "select build_id from build_info order by all") == [(1,), (2,)]
    assert current_version(settings) == 2


def test_a_build_that_another_run_has_published_meanwhile_is_left_as_it_is(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land_two_nights(settings)
    published: list[tuple[Path, int]] = []

    def publish(settings: Settings) -> Path:
        warehouse.build(settings, as_of=AS_OF)
        for _ in range(2):
            path = publishing.publish(settings)
            published.append((path, path.stat().st_mtime_ns))
        return path

    result = execute(settings, instance, defs=build_defs(settings=settings, publish=publish))
    assert metadata_of(result)[PUBLISHED]["version"] == current_version(settings) == 2
    assert published[0] == published[1]
