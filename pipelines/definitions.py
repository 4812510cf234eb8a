"""Where everything that Dagster runs meets; `defs` is what Dagster loads."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from ingest.settings import Settings
from pipelines.assets import (
    JOB_NAME,
    LANDED,
    Build,
    Publish,
    ReadSettings,
    build_asset,
    published_asset,
    source_specs,
)
from pipelines.models import Model, load_models
from pipelines.publishing import publish as publish_build
from pipelines.quality import Check, load_checks
from pipelines.schedules import monday_schedule, nightly_schedule, upkeep_schedule
from pipelines.sensors import raw_file_sensor
from pipelines.upkeep import UPKEEP_JOB, upkeep_asset
from pipelines.warehouse import build as build_warehouse


def build_defs(
    *,
    settings: Settings | None = None,
    models: Sequence[Model] | None = None,
    checks: Sequence[Check] | None = None,
    build: Build = build_warehouse,
    publish: Publish = publish_build,
) -> dg.Definitions:
    """A fresh set of definitions; each argument takes the place of the real thing.

    Without `settings`, they are read from the environment by each step and each tick, never here.
    Raises ModelError where sql/ is not in order.
    """
    read_settings: ReadSettings = Settings if settings is None else lambda: settings
    models = load_models() if models is None else models
    checks = load_checks() if checks is None else checks
    tables = build_asset(models, checks, read_settings, build)
    published = published_asset(models, read_settings, publish)
    job = dg.define_asset_job(
        JOB_NAME,
        selection=dg.AssetSelection.assets(tables, published),
        description="Builds every table from the landed raw files, checks all of them, and publishes the "
        "result for analysts. In one process: DuckDB has one writer.",
    )
    upkeep = dg.define_asset_job(
        UPKEEP_JOB,
        selection=dg.AssetSelection.assets(LANDED),
        description="Joins small landed files, removes old ones where the settings say so, and proves that "
        "nothing is missing. Builds and landers may run meanwhile.",
    )
    return dg.Definitions(
        assets=[*source_specs(), upkeep_asset(read_settings), tables, published],
        jobs=[job, upkeep],
        sensors=[raw_file_sensor(read_settings)],
        schedules=[upkeep_schedule(), nightly_schedule(), monday_schedule(read_settings)],
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions as Dagster loads them."""
    return build_defs()
