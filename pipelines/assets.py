"""The assets: what the lander wrote, every table of sql/ out of one build, and the published file."""

# Not `from __future__ import annotations`: Dagster reads these annotations when it runs.

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

import dagster as dg
from pydantic import Field, ValidationError

from ingest.records import Topic
from ingest.settings import Settings
from pipelines.checks import PUBLISHED, check_result, check_specs, newest_event_result, newest_event_spec
from pipelines.database import BuildError, build_lock, build_path
from pipelines.inspection import inspect_build, inspect_published
from pipelines.models import Layer, Model, ModelError, RebuildBy
from pipelines.publishing import PublishError
from pipelines.quality import Check
from pipelines.table_metadata import LINEAGE, build_metadata, definition_metadata
from pipelines.warehouse import BuildReport, Progress

JOB_NAME: Final = "build_warehouse"
BUILD_OP: Final = "build"
POOL: Final = "duckdb"
"""DuckDB has one writer: a second build waits in Dagster's queue, and behind it at the file lock."""

RAW_ASSETS: Final = {Topic.EVENTS: "raw_events", Topic.ATTEMPTS: "raw_attempts"}
"""External assets: the landed files of each topic."""
USERS_FILE: Final = "users_file"
LANDED: Final = "landed_files"
"""The asset of pipelines/upkeep.py."""

_SOURCES: Final = {
    "event_files": RAW_ASSETS[Topic.EVENTS],
    "attempt_files": RAW_ASSETS[Topic.ATTEMPTS],
    "users_files": USERS_FILE,
    "proof_files": LANDED,
}
"""Parameters of the staging queries -> the assets that they name."""

ReadSettings = Callable[[], Settings]


class Build(Protocol):
    """Makes build.duckdb of the raw files; see pipelines.warehouse."""

    def __call__(
        self, settings: Settings, *, full: bool, forget: bool, as_of: datetime | None, progress: Progress
    ) -> BuildReport:
        """Build with the lock held."""


Publish = Callable[[Settings], Path]
"""Publishes the newest build with the lock held, and returns its path; see pipelines.publishing."""


class BuildConfig(dg.Config):
    """What a run may be asked for."""

    full: bool = Field(
        default=False,
        description="Build everything anew from all raw files, into a new database file. The rows are the "
        "same either way; it happens by itself when the SQL of a table has changed.",
    )
    forget: bool = Field(
        default=False,
        description="Build everything anew even where that forgets records whose raw files were removed for "
        "their age. Without it such a build is refused.",
    )
    as_of: str | None = Field(
        default=None,
        description="The moment taken for now, with its offset, as in 2026-11-23T06:00:00+00:00: it decides "
        "which silent sessions are abandoned. Default: the moment of the build.",
    )


def source_specs() -> list[dg.AssetSpec]:
    """What builds read and Dagster does not make."""
    return [
        dg.AssetSpec(
            RAW_ASSETS[Topic.EVENTS],
            description="Accepted webhook bodies, verbatim, as the lander wrote them: the truth that every "
            "table is a function of.",
            group_name="raw",
            kinds={"parquet"},
        ),
        dg.AssetSpec(
            RAW_ASSETS[Topic.ATTEMPTS],
            description="Rejected webhook calls with their reasons, as the lander wrote them.",
            group_name="raw",
            kinds={"parquet"},
        ),
        dg.AssetSpec(
            USERS_FILE,
            description="Attributes of users, where there is such a file: ASLEEP_USERS_FILE, or users.csv in "
            "the data folder.",
            group_name="raw",
            kinds={"csv"},
        ),
    ]


def build_asset(
    models: Sequence[Model], checks: Sequence[Check], read_settings: ReadSettings, build: Build
) -> dg.AssetsDefinition:
    """All tables of sql/ as one multi-asset: one build, one transaction, every check in it."""

    @dg.multi_asset(
        name=BUILD_OP,
        specs=[_spec(model) for model in models],
        check_specs=check_specs(checks),
        pool=POOL,
        description="Loads new raw files, computes the touched sessions, users and weeks anew, and checks "
        "everything, in one transaction on the private build.duckdb.",
    )
    def build_tables(
        context: dg.AssetExecutionContext, config: BuildConfig
    ) -> Iterator[dg.MaterializeResult[None]]:
        with _faults_in_plain_words():
            settings, as_of = read_settings(), _moment(config.as_of)
            with build_lock(settings):
                report = build(
                    settings,
                    full=config.full,
                    forget=config.forget,
                    as_of=as_of,
                    progress=context.log.info,
                )
                inspection = inspect_build(build_path(settings), models)
        context.log.info("%s", report_in_words(report))
        for model in models:
            yield dg.MaterializeResult(
                asset_key=model.name,
                metadata=build_metadata(model, report, inspection, _known_lineage(context.instance, model)),
                check_results=[
                    check_result(result) for result in report.checks if result.check.table == model.name
                ],
            )

    return build_tables


def published_asset(
    models: Sequence[Model], read_settings: ReadSettings, publish: Publish
) -> dg.AssetsDefinition:
    """The file that analysts open: a proved copy of the build, behind the blocking checks."""

    @dg.asset(
        name=PUBLISHED,
        deps=[model.name for model in models if model.layer is Layer.MARTS],
        check_specs=[newest_event_spec()],
        pool=POOL,
        group_name="published",
        kinds={"duckdb"},
        description="The read-only database that analysts open. A build gets here only when no blocking "
        "check failed; it is copied, the copy is proved to be what passed the checks, and swapped in by one "
        "rename. Should another build have finished meanwhile, the newest one is published.",
    )
    def published_warehouse() -> Iterator[dg.MaterializeResult[None]]:
        with _faults_in_plain_words():
            settings = read_settings()
            with build_lock(settings):
                path = publish(settings)
                published = inspect_published(path)
        yield dg.MaterializeResult(
            metadata={
                "open": dg.MetadataValue.text(f"duckdb -readonly {settings.published_path.absolute()}"),
                "path": dg.MetadataValue.path(path.absolute()),
                "version": dg.MetadataValue.int(published.build_id),
                "as of": dg.MetadataValue.timestamp(published.as_of),
                "full build": dg.MetadataValue.bool(published.is_full),
                "size in MB": dg.MetadataValue.float(round(published.size_bytes / 1e6, 2)),
                "failed warning checks": dg.MetadataValue.int(published.failed_warning_checks),
                "rows": dg.MetadataValue.md(_row_counts(published.row_counts)),
            },
            check_results=[newest_event_result(published.newest_received_at, published.as_of)],
        )

    return published_warehouse


def report_in_words(report: BuildReport) -> str:
    """One line for the log of a run."""
    return (
        f"build {report.build_id} ({'everything anew' if report.is_full else 'incremental'}): "
        f"{report.new_files:,} new files, {report.touched_sessions:,} sessions and {report.touched_users:,} "
        f"users computed anew"
    )


def _spec(model: Model) -> dg.AssetSpec:
    sources = [asset for parameter, asset in _SOURCES.items() if parameter in model.parameters]
    return dg.AssetSpec(
        model.name,
        deps=sorted([*model.depends_on, *sources]),
        description=f"{model.description}\n\nGrain: {model.grain}.",
        group_name=str(model.layer),  # Dagster can not serialize an enum of ours
        kinds={"duckdb", "sql", "view" if model.rebuild_by is RebuildBy.VIEW else "table"},
        metadata=definition_metadata(model),
        code_version=_code_version(model),
    )


def _code_version(model: Model) -> str:
    return sha256(model.sql.encode()).hexdigest()[:12]


def _known_lineage(instance: dg.DagsterInstance, model: Model) -> dg.MetadataValue | None:
    """The lineage that the last materialization found, if the SQL is the same: finding it takes a while."""
    event = instance.get_latest_materialization_event(dg.AssetKey(model.name))
    made = event.asset_materialization if event else None
    if made is None or (made.tags or {}).get("dagster/code_version") != _code_version(model):
        return None
    return made.metadata.get(LINEAGE)


def _moment(as_of: str | None) -> datetime | None:
    if as_of is None:
        return None
    try:
        moment = datetime.fromisoformat(as_of)
    except ValueError as error:
        raise BuildError(f"as_of: {error}; write it like 2026-11-23T06:00:00+00:00") from error
    if moment.tzinfo is None:
        raise BuildError(f"as_of: {as_of} has no offset; write it like 2026-11-23T06:00:00+00:00")
    return moment


def _row_counts(row_counts: Mapping[str, int]) -> str:
    return "\n".join(["| table | rows |", "|---|---:|", *(f"| {t} | {n:,} |" for t, n in row_counts.items())])


@contextmanager
def _faults_in_plain_words() -> Iterator[None]:
    """Turn errors that say what to do into failures that say only that."""
    try:
        yield
    except (BuildError, ModelError, PublishError) as error:
        raise dg.Failure(str(error)) from None
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise dg.Failure("settings (ASLEEP_...): " + "; ".join(problems)) from None
