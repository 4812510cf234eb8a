"""The schedules: every night the landed files, then a build whatever has landed; on Monday all anew."""

from __future__ import annotations

import dagster as dg

from pipelines.assets import BUILD_OP, JOB_NAME, BuildConfig, ReadSettings
from pipelines.upkeep import UPKEEP_JOB


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


def monday_schedule(read_settings: ReadSettings) -> dg.ScheduleDefinition:
    """Every Monday one full build, where all raw files are kept."""

    @dg.schedule(
        name="weekly_trends_monday",
        job_name=JOB_NAME,
        cron_schedule="30 12 * * 1",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="A full build at 12:30 UTC on Monday, when the ISO week is over in every time zone. "
        "Every build keeps weekly_trends up to date; this one makes last week's numbers from the raw files "
        "alone. Where old raw files are removed it is an ordinary build: a full one would forget them.",
    )
    def weekly_trends_monday() -> dg.RunRequest:
        settings = read_settings()
        keeps_all = settings.keep_events_days is None and settings.keep_attempts_days is None
        return dg.RunRequest(run_config=dg.RunConfig(ops={BUILD_OP: BuildConfig(full=keeps_all)}))

    return weekly_trends_monday


def upkeep_schedule() -> dg.ScheduleDefinition:
    """Every night the landed files, before the build."""
    return dg.ScheduleDefinition(
        name="nightly_upkeep",
        job_name=UPKEEP_JOB,
        cron_schedule="0 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="At 03:00 UTC: joins small landed files of days that are over, removes those that the "
        "settings keep no longer, and proves that every offset is landed once.",
    )
