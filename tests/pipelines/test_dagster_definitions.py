"""What Dagster loads: every model an asset, every check a check, and nothing read before it asks."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._core.workspace.autodiscovery import loadable_targets_from_loaded_module
from dagster._utils.schedules import schedule_execution_time_iterator
from dagster_shared.serdes import serialize_value

import pipelines.definitions
from ingest.settings import Settings
from pipelines.assets import JOB_NAME, LANDED, POOL, BuildConfig
from pipelines.checks import PUBLISHED
from pipelines.definitions import build_defs
from pipelines.models import Layer, load_models
from pipelines.quality import Severity, load_checks

ROOT = Path(__file__).parents[2]
MODELS = {model.name: model for model in load_models()}


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_defs(settings=Settings(data_dir=tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def nodes(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


# Dagster reads a property of its own that it has deprecated.
@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning")
def test_the_definitions_load_and_can_be_sent_to_the_user_interface(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)
    assert serialize_value(RepositorySnap.from_def(defs.get_repository_def()))


def test_dagster_finds_them_in_the_module_without_being_told_a_name() -> None:
    [target] = loadable_targets_from_loaded_module(pipelines.definitions)
    assert target.attribute == "defs"
    assert isinstance(pipelines.definitions.defs(), dg.Definitions)


def test_importing_them_reads_no_settings_and_opens_no_file() -> None:
    program = """
import sys
opened = []
def watch(event, arguments):
    if event == "open" and str(arguments[0]).startswith(sys.argv[1]):
        opened.append(str(arguments[0]))
sys.addaudithook(watch)
import pipelines.definitions
print([path for path in opened if not path.endswith((".py", ".pyc")) and "/.venv/" not in path])
"""
    environment = {
        "ASLEEP_PORT": "not a port",
        "DAGSTER_HOME": "/nowhere",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    answer = subprocess.run(
        [sys.executable, "-c", program, str(ROOT)],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert answer.stdout == "[]\n"


def test_each_model_is_an_asset_in_the_group_of_its_layer(nodes: dict[str, dg.AssetSpec]) -> None:
    assert nodes.keys() - MODELS.keys() == {"raw_events", "raw_attempts", "users_file", LANDED, PUBLISHED}
    for name, model in MODELS.items():
        assert nodes[name].group_name == model.layer
        assert model.description in (nodes[name].description or "")
        assert model.grain in (nodes[name].description or "")
        assert nodes[name].metadata["dagster/table_name"].value == f"warehouse.main.{name}"


def test_assets_depend_on_what_their_sql_reads(nodes: dict[str, dg.AssetSpec]) -> None:
    reads = {
        name: {dep.asset_key.to_user_string() for dep in spec.deps if dep.asset_key != spec.key}
        for name, spec in nodes.items()
    }
    assert reads["stg_events"] == {"raw_events"}
    assert reads["stg_attempts"] == {"raw_attempts"}
    assert reads["stg_users"] == {"users_file"}
    assert reads["stg_landing_proof"] == {LANDED}
    assert reads[LANDED] == {"raw_events", "raw_attempts"}
    for name, model in MODELS.items():
        if model.layer is not Layer.STAGING:
            assert reads[name] == model.depends_on
    assert reads[PUBLISHED] == {name for name, model in MODELS.items() if model.layer is Layer.MARTS}


def test_each_check_is_on_its_table_and_blocks_if_it_says_so(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    ours = {(spec.asset_key.to_user_string(), spec.name): spec for spec in specs}
    checks = {(check.table, check.name): check for check in load_checks()}
    assert ours.keys() - checks.keys() == {
        (PUBLISHED, "newest_event_is_recent"),
        (LANDED, "every_offset_is_landed_once"),
    }
    for key, check in checks.items():
        assert ours[key].blocking == (check.severity is Severity.BLOCK)
        assert check.description in (ours[key].description or "")


def test_the_steps_of_a_run_share_one_process_and_one_writer(defs: dg.Definitions) -> None:
    job = defs.resolve_job_def(JOB_NAME)
    assert job.executor_def is dg.in_process_executor
    assert {node.definition.pools == {POOL} for node in job.graph.nodes} == {True}


def test_what_a_run_may_be_asked_for_is_explained_and_optional(defs: dg.Definitions) -> None:
    assert BuildConfig.model_fields.keys() == {"full", "forget", "as_of"}
    assert all(field.description for field in BuildConfig.model_fields.values())
    assert dg.validate_run_config(defs.resolve_job_def(JOB_NAME), {})


def test_sensor_and_schedules_are_on_from_the_start(defs: dg.Definitions) -> None:
    repository = defs.get_repository_def()
    assert {sensor.name: sensor.default_status for sensor in repository.sensor_defs} == {
        "new_raw_files": dg.DefaultSensorStatus.RUNNING
    }
    schedules = repository.schedule_defs
    assert {schedule.name for schedule in schedules} == {
        "nightly_upkeep",
        "nightly_build",
        "weekly_trends_monday",
    }
    assert {schedule.default_status for schedule in schedules} == {dg.DefaultScheduleStatus.RUNNING}


@pytest.mark.parametrize(
    ("name", "moments", "full"),
    [
        ("nightly_build", ["Thu 2026-01-08 04:00", "Fri 2026-01-09 04:00"], False),
        ("weekly_trends_monday", ["Mon 2026-01-12 12:30", "Mon 2026-01-19 12:30"], True),
    ],
)
def test_a_schedule_asks_for_a_build_that_the_job_accepts(
    defs: dg.Definitions, name: str, moments: list[str], full: bool
) -> None:
    schedule = defs.get_repository_def().get_schedule_def(name)
    start = datetime(2026, 1, 7, 12, tzinfo=UTC)
    zone = schedule.execution_timezone
    ticks = list(islice(schedule_execution_time_iterator(start.timestamp(), schedule.cron_schedule, zone), 2))
    assert [f"{tick:%a %Y-%m-%d %H:%M}" for tick in ticks] == moments
    assert {tick.utcoffset() for tick in ticks} == {start.utcoffset()}
    context = dg.build_schedule_context(scheduled_execution_time=ticks[0])
    [request] = schedule.evaluate_tick(context).run_requests or []
    config = dg.validate_run_config(defs.resolve_job_def(JOB_NAME), request.run_config)
    assert config["ops"]["build"]["config"]["full"] is full
    assert json.dumps(request.run_config)
