"""The Dagster instance that dagster.yaml describes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterInstance
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.instance.config import PoolGranularity
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the instance is opened in."""
    return tmp_path_factory.mktemp("started-in")


@pytest.fixture(scope="module")
def instance(folder: Path) -> Iterator[DagsterInstance]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        with DagsterInstance.from_config(str(ROOT)) as instance:
            yield instance


def test_its_storage_is_in_the_data_folder_and_nowhere_else(instance: DagsterInstance, folder: Path) -> None:
    assert instance.get_runs_count() == 0
    logs = instance.compute_log_manager
    assert isinstance(logs, LocalComputeLogManager)
    assert logs._base_dir == "data/dagster/compute_logs"
    assert instance.storage_directory() == "data/dagster/storage"
    assert {path.relative_to(folder).parts[:2] for path in folder.rglob("*.db")} == {("data", "dagster")}
    assert [path.name for path in folder.iterdir()] == ["data"]


def test_one_build_runs_at_a_time_and_none_is_repeated(instance: DagsterInstance) -> None:
    concurrency = instance.get_concurrency_config()
    assert concurrency.pool_config.default_pool_limit == 1
    assert concurrency.pool_config.pool_granularity is PoolGranularity.OP
    assert concurrency.run_queue_config
    assert concurrency.run_queue_config.max_concurrent_runs == 1
    assert not instance.run_retries_enabled


def test_a_run_whose_process_died_is_ended(instance: DagsterInstance) -> None:
    assert instance.run_monitoring_enabled
    assert 0 < instance.run_monitoring_max_runtime_seconds <= 24 * 3600


def test_a_stop_waits_for_the_build_in_progress(instance: DagsterInstance) -> None:
    assert instance.wait_for_local_code_server_processes_on_shutdown


def test_it_tells_nobody_what_we_do(instance: DagsterInstance) -> None:
    assert not instance.telemetry_enabled
    assert not instance.nux_enabled


@pytest.mark.parametrize("instigator", [InstigatorType.SENSOR, InstigatorType.SCHEDULE])
def test_it_forgets_old_ticks(instance: DagsterInstance, instigator: InstigatorType) -> None:
    kept_days = instance.get_tick_retention_settings(instigator)
    assert set(kept_days) == set(TickStatus)
    assert all(days > 0 for days in kept_days.values())
