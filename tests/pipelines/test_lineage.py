"""Column lineage of the real models."""

from __future__ import annotations

import pytest

from ingest.settings import Settings
from pipelines.database import build_lock, build_path
from pipelines.inspection import Inspection, inspect_build
from pipelines.lineage import Sources, column_lineage
from pipelines.models import load_models
from pipelines.warehouse import build

MODELS = {model.name: model for model in load_models()}


@pytest.fixture(scope="module")
def inspection(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    settings = Settings(data_dir=tmp_path_factory.mktemp("lineage"))
    with build_lock(settings):
        build(settings)
        return inspect_build(build_path(settings), list(MODELS.values()))


@pytest.fixture(scope="module")
def lineage(inspection: Inspection) -> dict[str, Sources]:
    return {name: column_lineage(model, inspection.columns) for name, model in MODELS.items()}


def test_every_source_is_a_column_of_a_model_that_is_read(
    lineage: dict[str, Sources], inspection: Inspection
) -> None:
    for name, found in lineage.items():
        assert found.keys() <= inspection.columns[name].keys(), name
        for table, column in (source for sources in found.values() for source in sources):
            assert table in MODELS[name].depends_on
            assert column in inspection.columns[table]


def test_nearly_every_column_has_a_source(lineage: dict[str, Sources], inspection: Inspection) -> None:
    for name, model in MODELS.items():
        if model.depends_on:
            assert len(lineage[name]) >= 0.6 * len(inspection.columns[name]), name


def test_a_column_is_followed_through_every_step_of_the_query(lineage: dict[str, Sources]) -> None:
    assert lineage["int_user_weeks"]["waso_seconds_sum"] == [
        ("int_main_sleeps", "session_id"),
        ("int_sessions", "validity"),
        ("int_sessions", "waso_seconds"),
    ]
    assert lineage["weekly_trends"]["waso_seconds_mean_change"] == [("int_week_figures", "waso_seconds_mean")]


def test_an_empty_warehouse_has_no_night_to_show(inspection: Inspection) -> None:
    assert inspection.newest_night is None
