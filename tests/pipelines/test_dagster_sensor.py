"""The sensor on new raw files: one request for what has landed, and reasons for every silence."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest

from ingest.records import Topic
from ingest.settings import Settings
from pipelines import sensors
from pipelines.assets import JOB_NAME
from pipelines.database import build_lock
from pipelines.definitions import build_defs
from pipelines.publishing import publish
from pipelines.warehouse import build
from tests.pipelines.dagster_runs import AS_OF, land_two_nights, report
from tests.raw_events import Event, land


def tick(settings: Settings, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    """Ask the sensor once."""
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    result = sensors.raw_file_sensor(lambda: settings)(context)
    assert isinstance(result, dg.SensorResult)
    return result


def reason(result: dg.SensorResult) -> str:
    assert not result.run_requests
    assert result.skip_reason
    return result.skip_reason.skip_message or ""


def start_run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> dg.DagsterRun:
    """A run of any job of the instance: all of them write the one database."""
    return instance.create_run_for_job(dg.GraphDefinition("some_job").to_job(), status=status)


def build_and_publish(settings: Settings) -> None:
    """A build that Dagster knows nothing of."""
    with build_lock(settings):
        build(settings, as_of=AS_OF)
        publish(settings)


def test_new_files_are_asked_for_once(settings: Settings, instance: dg.DagsterInstance) -> None:
    land_two_nights(settings)
    first = tick(settings, instance)
    assert len(first.run_requests or []) == 1
    build_and_publish(settings)
    assert reason(tick(settings, instance, first.cursor)) == "all 1 landed files are published"
    land(settings, [report("cyd", "c-1")])
    second = tick(settings, instance, first.cursor)
    assert len(second.run_requests or []) == 1
    assert second.cursor != first.cursor


def test_what_a_build_outside_dagster_has_published_is_not_asked_for(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    land_two_nights(settings)
    build_and_publish(settings)
    assert "are published" in reason(tick(settings, instance))


def test_a_rejected_call_is_news_too(settings: Settings, instance: dg.DagsterInstance) -> None:
    land_two_nights(settings)
    build_and_publish(settings)
    land(settings, [Event(body="{}")], topic=Topic.ATTEMPTS)
    result = tick(settings, instance)
    assert [event.asset_key.to_user_string() for event in result.asset_events] == [
        "raw_events",
        "raw_attempts",
    ]


def test_nothing_is_asked_for_before_anything_has_landed(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    assert "nothing has landed" in reason(tick(settings, instance))


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_nothing_is_asked_for_while_a_build_is_not_over(
    settings: Settings, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    land_two_nights(settings)
    run = start_run(instance, status)
    result = tick(settings, instance)
    assert run.run_id[:8] in reason(result)
    assert result.cursor is None
    instance.report_run_canceled(run)
    assert tick(settings, instance).run_requests


def test_files_of_a_failed_build_are_tried_again_later_or_with_the_next_file(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_two_nights(settings)
    first = tick(settings, instance)
    instance.report_run_failed(start_run(instance, dg.DagsterRunStatus.STARTED))
    assert "published nothing; trying again at" in reason(tick(settings, instance, first.cursor))

    later = sensors._now() + sensors.RETRY_AFTER + timedelta(seconds=5)
    with monkeypatch.context() as patch:
        patch.setattr(sensors, "_now", lambda: later)
        retry = tick(settings, instance, first.cursor)
    assert retry.run_requests
    assert retry.asset_events == []

    land(settings, [report("cyd", "c-1")])
    assert tick(settings, instance, first.cursor).run_requests


def test_one_state_makes_one_run_and_a_retry_another(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    def run_key() -> str | None:
        [request] = tick(settings, instance).run_requests or []
        return request.run_key

    land_two_nights(settings)
    first = run_key()
    assert first == run_key()
    instance.report_run_failed(start_run(instance, dg.DagsterRunStatus.STARTED))
    assert run_key() != first


def test_a_request_tells_what_has_landed(settings: Settings, instance: dg.DagsterInstance) -> None:
    land_two_nights(settings)
    first = tick(settings, instance)
    late = report("cyd", "c-1")
    land(settings, [late], partition=3)
    [event] = tick(settings, instance, first.cursor).asset_events
    assert isinstance(event, dg.AssetMaterialization)
    values = {name: value.value for name, value in event.metadata.items()}
    assert (values["files"], values["records"]) == (2, 3)
    assert (values["new files"], values["new records"]) == (1, 1)
    assert values["newest received"] == late.received_at.timestamp()
    assert "| testlog/asleep.events/3 | 0 |" in str(values["last offsets"])


def test_the_definitions_hold_the_sensor_for_the_job(settings: Settings) -> None:
    [sensor] = build_defs(settings=settings).get_repository_def().sensor_defs
    assert sensor.job_name == JOB_NAME
    assert sensor.minimum_interval_seconds == sensors.INTERVAL_SECONDS
