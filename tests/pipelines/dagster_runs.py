"""Nights to land, and runs of the job on an instance of their own, for tests of what Dagster sees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import duckdb

from pipelines.assets import BUILD_OP, JOB_NAME, BuildConfig
from pipelines.definitions import build_defs
from tests.raw_events import Event, land

if TYPE_CHECKING:
    from ingest.settings import Settings

NIGHT: Final = datetime(2026, 1, 5, 22, 0, tzinfo=UTC)
AS_OF: Final = datetime(2026, 1, 8, tzinfo=UTC)
STAGES: Final = [0, 0, 1, 1, 2, 2, 2, 1, 3, 3, 1, 1, 0, 1, 1, 0]
QUIET: Final = {"console": {"config": {"log_level": "CRITICAL"}}}


def report(user: str, session: str, *, started_at: datetime = NIGHT) -> Event:
    """The final report of a short night."""
    ended_at = started_at + timedelta(seconds=30 * len(STAGES))
    return Event(
        body={
            "event": "SESSION_COMPLETE",
            "version": "V3",
            "timestamp": ended_at.isoformat(),
            "user_id": user,
            "session_id": session,
            "session": {
                "id": session,
                "state": "COMPLETE",
                "start_time": started_at.isoformat(),
                "end_time": ended_at.isoformat(),
                "timezone": "Europe/Berlin",
                "created_timezone": "Europe/Berlin",
                "sleep_stages": STAGES,
            },
            "stat": {},
            "peculiarities": [],
        },
        received_at=ended_at,
        user_id=user,
    )


def land_two_nights(settings: Settings) -> None:
    """Two users, one night each."""
    land(settings, [report("ada", "a-1"), report("ben", "b-1")])


def execute(
    settings: Settings,
    instance: dg.DagsterInstance,
    *,
    defs: dg.Definitions | None = None,
    full: bool = False,
    as_of: str | None = AS_OF.isoformat(),
) -> dg.ExecuteInProcessResult:
    """Run the job in this process; a failure is in the result."""
    job = (defs or build_defs(settings=settings)).resolve_job_def(JOB_NAME)
    ops = {BUILD_OP: BuildConfig(full=full, as_of=as_of)}
    return job.execute_in_process(
        run_config=dg.RunConfig(ops=ops, loggers=QUIET), instance=instance, raise_on_error=False
    )


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """The values of the metadata of each materialization of a run, by asset."""
    events = result.get_asset_materialization_events()
    materializations = [event.step_materialization_data.materialization for event in events]
    return {
        made.asset_key.to_user_string(): {name: value.value for name, value in made.metadata.items()}
        for made in materializations
    }


def published_rows(settings: Settings, query: str) -> list[tuple[object, ...]]:
    """Rows of a query on what analysts see."""
    with duckdb.connect(settings.published_path, read_only=True) as connection:
        rows: list[tuple[object, ...]] = connection.sql(query).fetchall()
    return rows
