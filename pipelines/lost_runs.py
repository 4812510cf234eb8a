"""Ends, in Dagster's records, the runs whose process is gone; run it with `python -m` before a daemon."""

from __future__ import annotations

import logging
from typing import Final

import dagster as dg

from ingest.settings import Settings
from pipelines.database import build_is_running

_UNDER_WAY: Final = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

_log = logging.getLogger(__name__)


def fail_lost_runs(settings: Settings) -> list[str]:
    """Report runs that are under way as failed, and return their ids; none while a build is running.

    Dagster does not notice that the process of a run was killed: in progress for ever, such a run lets no
    other start. Call it where no process of ours can be at work on one. The instance is that of DAGSTER_HOME.
    """
    if build_is_running(settings):
        return []
    with dg.DagsterInstance.get() as instance:
        lost = instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
        for run in lost:
            instance.report_run_failed(
                run, "The process of this run was gone when Dagster was started again."
            )
            _log.warning("run %s was lost and is reported as failed", run.run_id)
    return [run.run_id for run in lost]


if __name__ == "__main__":
    fail_lost_runs(Settings())
