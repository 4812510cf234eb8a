"""One build from the command line: the job of the UI, run in this process, shown there like any other."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.errors import DagsterHomeNotSetError

from pipelines.assets import BUILD_OP, JOB_NAME, BuildConfig
from pipelines.definitions import build_defs
from pipelines.instance import dagster_home
from pipelines.publishing import publish
from pipelines.warehouse import BuildReport, build

if TYPE_CHECKING:
    from ingest.settings import Settings
    from pipelines.warehouse import Progress


@dataclass(slots=True)
class BuildRun:
    """How a run ended; `report` and `published` are there as far as it got."""

    run_id: str = ""
    success: bool = False
    report: BuildReport | None = None
    published: Path | None = None
    problems: tuple[str, ...] = ()
    """Why it failed, in words, one text per failed step."""


def run_build(
    settings: Settings,
    *,
    full: bool = False,
    forget: bool = False,
    as_of: datetime | None = None,
    instance: dg.DagsterInstance | None = None,
) -> BuildRun:
    """Build and publish; waits for a build that is running. A failure is in the result, not raised.

    Without an instance it is that of DAGSTER_HOME, or, where that is not set, the data folder's own; see
    pipelines.instance.
    """
    run = BuildRun()

    def build_and_report(
        settings: Settings, *, full: bool, forget: bool, as_of: datetime | None, progress: Progress
    ) -> BuildReport:
        run.report = build(settings, full=full, forget=forget, as_of=as_of, progress=progress)
        return run.report

    def publish_and_report(settings: Settings) -> Path:
        run.published = publish(settings)
        return run.published

    job = build_defs(settings=settings, build=build_and_report, publish=publish_and_report).resolve_job_def(
        JOB_NAME
    )
    config = BuildConfig(full=full, forget=forget, as_of=as_of.isoformat() if as_of else None)
    with nullcontext(instance) if instance else _instance(settings) as opened:
        result = job.execute_in_process(
            run_config=dg.RunConfig(
                ops={BUILD_OP: config}, loggers={"console": {"config": {"log_level": "CRITICAL"}}}
            ),
            instance=opened,
            raise_on_error=False,
        )
    run.run_id, run.success = result.run_id, result.success
    run.problems = tuple(_problem(event) for event in result.get_step_failure_events())
    return run


def _instance(settings: Settings) -> dg.DagsterInstance:
    try:
        return dg.DagsterInstance.get()
    except DagsterHomeNotSetError:
        return dg.DagsterInstance.from_config(str(dagster_home(settings)))


def _problem(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error
    if error is None:
        return event.message or str(event.step_key)
    return (error.cause or error).message.strip()
