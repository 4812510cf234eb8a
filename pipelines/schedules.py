"""The schedules: every night a build whatever has landed, every Monday everything anew."""

from __future__ import annotations

import dagster as dg

from pipelines.assets import BUILD_OP, JOB_NAME, BuildConfig


def nightly_schedule() -> dg.ScheduleDefinition:
    """Every night one ordinary build."""
    return dg.ScheduleDefinition(
        name="nightly_build",
        job_name=JOB_NAME,
        cron_schedule="0 4 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="An ordinary build at 04:00 UTC, even when nothing new has landed: sessions that have "
        "been silent for long become abandoned, a changed users file is read, and all checks run.",
    )


def monday_schedule() -> dg.ScheduleDefinition:
    """Every Monday one full build."""
    return dg.ScheduleDefinition(
        name="weekly_trends_monday",
        job_name=JOB_NAME,
        cron_schedule="30 12 * * 1",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        run_config=dg.RunConfig(ops={BUILD_OP: BuildConfig(full=True)}),
        description="A full build at 12:30 UTC on Monday, when the ISO week is over in every time zone. "
        "Every build keeps weekly_trends up to date; this one makes last week's numbers from the raw files "
        "alone, and writes a database file without the gaps that a week of increments leaves.",
    )
