"""The one sensor: new raw files -> a build."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

import dagster as dg

from ingest.raw_store import open_store
from ingest.records import Topic
from pipelines.arrivals import Arrivals, arrivals, is_ahead, merged, published_offsets
from pipelines.assets import JOB_NAME, RAW_ASSETS, ReadSettings

SENSOR_NAME: Final = "new_raw_files"
INTERVAL_SECONDS: Final = 10
RETRY_AFTER: Final = timedelta(minutes=15)
"""A build that failed is tried again with the next new file; without one, after this long."""

_IN_PROGRESS: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def raw_file_sensor(read_settings: ReadSettings) -> dg.SensorDefinition:
    """A sensor that asks for a build when files have landed that the published warehouse does not hold.

    Its cursor is the last offset of each partition at its last request.
    """

    @dg.sensor(
        name=SENSOR_NAME,
        job_name=JOB_NAME,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for a build when files have landed that the published warehouse does not hold, one "
        "build at a time. Files of a build that failed are tried again with the next new file, or after "
        f"{RETRY_AFTER / timedelta(minutes=1):.0f} minutes.",
    )
    def new_raw_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        settings = read_settings()
        landed = {topic: arrivals(settings, topic) for topic in RAW_ASSETS}
        offsets = merged(found.offsets for found in landed.values())
        files = sum(len(found.files) for found in landed.values())
        asked: dict[str, int] = json.loads(context.cursor) if context.cursor else {}
        if not offsets:
            return dg.SensorResult(skip_reason=f"nothing has landed in {open_store(settings).url} yet")
        if running := _newest_run(context.instance, _IN_PROGRESS):
            return dg.SensorResult(skip_reason=f"run {running.dagster_run.run_id[:8]} is not over yet")
        if not is_ahead(offsets, published_offsets(settings)):
            return dg.SensorResult(skip_reason=f"all {files:,} landed files are published")
        last = _newest_run(context.instance)
        if not is_ahead(offsets, asked) and last and (try_again_at := _ended_at(last) + RETRY_AFTER) > _now():
            return dg.SensorResult(
                skip_reason=f"these files were built by run {last.dagster_run.run_id[:8]}, which published "
                f"nothing; trying again at {try_again_at:%H:%M} UTC, or when more files land"
            )
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=_run_key(offsets, last))],
            cursor=json.dumps(offsets, sort_keys=True),
            asset_events=[
                _materialization(topic, found, asked)
                for topic, found in landed.items()
                if is_ahead(found.offsets, asked)
            ],
        )

    return new_raw_files


def _newest_run(
    instance: dg.DagsterInstance, statuses: list[dg.DagsterRunStatus] | None = None
) -> dg.RunRecord | None:
    return next(iter(instance.get_run_records(dg.RunsFilter(statuses=statuses), limit=1)), None)


def _ended_at(run: dg.RunRecord) -> datetime:
    return datetime.fromtimestamp(run.end_time, UTC) if run.end_time else run.create_timestamp


def _now() -> datetime:
    return datetime.now(UTC)


def _run_key(offsets: Mapping[str, int], last: dg.RunRecord | None) -> str:
    """The same for two requests out of the same state, so that Dagster launches one run for both."""
    digest = sha256(json.dumps(offsets, sort_keys=True).encode()).hexdigest()[:16]
    return f"{digest}-after-{last.dagster_run.run_id[:8] if last else 'nothing'}"


def _materialization(topic: Topic, landed: Arrivals, asked: Mapping[str, int]) -> dg.AssetMaterialization:
    """What the lander has written of a topic, and how much of it since the last request."""
    new, newest = landed.after(asked), landed.newest_received_at()
    metadata: dict[str, dg.MetadataValue] = {
        "files": dg.MetadataValue.int(len(landed.files)),
        "records": dg.MetadataValue.int(landed.records),
        "new files": dg.MetadataValue.int(len(new.files)),
        "new records": dg.MetadataValue.int(new.records),
        "last offsets": dg.MetadataValue.md(_offsets_table(landed.offsets)),
    }
    if newest is not None:
        metadata["newest received"] = dg.MetadataValue.timestamp(newest)
        metadata["lag in seconds"] = dg.MetadataValue.float(round((_now() - newest).total_seconds(), 1))
    return dg.AssetMaterialization(RAW_ASSETS[topic], metadata=metadata)


def _offsets_table(offsets: Mapping[str, int]) -> str:
    rows = [f"| {partition} | {offset:,} |" for partition, offset in sorted(offsets.items())]
    return "\n".join(["| log / topic / partition | last offset |", "|---|---:|", *rows])
