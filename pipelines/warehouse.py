"""The build: load new raw files, find the touched keys, run the models, check; all in one transaction."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

import duckdb
import pyarrow as pa

from ingest.settings import Settings
from pipelines.compaction import compact, is_hollow
from pipelines.database import (
    BuildError,
    PreviousBuilds,
    build_path,
    clear_leftovers,
    connect,
    fresh_path,
    previous_builds,
    published_versions,
    replace_database,
)
from pipelines.loading import in_words, loaded_runs, plan_loading, remember
from pipelines.models import Model, RebuildBy, load_models
from pipelines.quality import CheckResult, load_checks, run_checks
from pipelines.seals import break_seal, is_sealed, seal
from pipelines.sources import source_parameters
from pipelines.statements import create, execute, refresh, statement

SESSIONS_PER_CHUNK = 2_500
WEEKS_PER_CHUNK = 2_000

Progress = Callable[[str], None]


@dataclass(slots=True)
class BuildReport:
    """What a build did."""

    build_id: int
    as_of: datetime
    is_full: bool
    checks_everything: bool
    new_files: int = 0
    touched_sessions: int = 0
    touched_weeks: int = 0
    touched_users: int = 0
    row_counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    checks: Sequence[CheckResult] = ()


def build(
    settings: Settings,
    *,
    full: bool = False,
    forget: bool = False,
    as_of: datetime | None = None,
    progress: Progress = lambda _: None,
) -> BuildReport:
    """Bring build.duckdb up to date with the raw files; call it with the build lock held.

    `as_of` (default: now) is the moment that decides which silent sessions are abandoned. A full build makes
    a new file from all raw files and gives the same rows; a changed model makes any build a full one.
    A full build, the first of an ISO week, and one on a file that is not sealed check everything; others
    leave out of some checks the sessions that they do not touch, and seal the file when it passes.
    Raises BuildError for a full build that would lose what is loaded and has no raw file any more, unless it
    is told to `forget` it.
    """
    models = load_models()
    fingerprint = _fingerprint(models)
    target = build_path(settings)
    previous = previous_builds(target)
    full = full or previous.models_hash != fingerprint
    # also where build.duckdb was lost: a version that is published keeps its number for itself
    last_build_id = max([previous.last_build_id, *published_versions(settings)])
    as_of = as_of or datetime.now(UTC)
    checks_everything = full or _is_first_of_week(previous, as_of) or not is_sealed(target)
    report = BuildReport(last_build_id + 1, as_of, full, checks_everything)
    working = fresh_path(settings) if full else target
    if full and not forget and previous.loaded_offsets is not None:
        _refuse_to_forget(settings, previous.loaded_offsets)
    clear_leftovers(settings)
    break_seal(target)
    with connect(working, settings) as connection:
        connection.execute("begin")
        execute(connection, statement("create_state"), {})
        if full and previous.rows is not None:
            connection.register("previous_builds", previous.rows)
            execute(connection, statement("keep_build_info"), {})
        _Build(settings, connection, models, report, fingerprint, progress).run()
        connection.execute("commit")
        connection.execute("checkpoint")
    if full:
        replace_database(working, target)
    elif is_hollow(target):
        progress("compaction")
        compact(settings)
    elif not checks_everything and not any(result.blocks for result in report.checks):
        seal(target)
    return report


def _is_first_of_week(previous: PreviousBuilds, as_of: datetime) -> bool:
    """Whether no build was made yet in the ISO week (UTC) of `as_of`."""
    if previous.rows is None:
        return True
    before: datetime = previous.rows.column("as_of")[-1].as_py()
    return _iso_week(before) != _iso_week(as_of)


def _iso_week(moment: datetime) -> tuple[int, int]:
    year, week, _ = moment.astimezone(UTC).isocalendar()
    return year, week


def _refuse_to_forget(settings: Settings, loaded_offsets: pa.Table) -> None:
    forgotten = plan_loading(settings, loaded_runs(duckdb.from_arrow(loaded_offsets))).forgotten
    if forgotten:
        raise BuildError(
            "a full build (asked for, or because a model changed) knows only what has a raw file, and would"
            f" forget records whose files were removed: {in_words(forgotten)}. Bring the files back, or run"
            " `asleep build --full --forget` to live without these records"
        )


def _fingerprint(models: Sequence[Model]) -> str:
    """Changes when any model's file does, or the frame in which they are computed."""
    parts = [f"{model.name}\0{model.sql}" for model in models]
    parts += [statement("create_state"), statement("create_macros")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(slots=True)
class _Build:
    """One build on an open connection, inside its transaction."""

    settings: Settings
    connection: duckdb.DuckDBPyConnection
    models: Sequence[Model]
    report: BuildReport
    fingerprint: str
    progress: Progress

    def run(self) -> None:
        clock = {
            "as_of": self.report.as_of,
            "abandoned_after_seconds": self.settings.abandoned_after_hours * 3600,
        }
        execute(self.connection, statement("create_macros"), {})
        execute(self.connection, statement("create_touched"), {})
        if self.report.is_full:
            nothing = clock | source_parameters(self.settings, ())
            for model in self.models:
                create(self.connection, model, nothing)
        loading = plan_loading(self.settings, loaded_runs(self.connection.table("loaded_offsets")))
        self.report.new_files = len(loading.new)
        parameters = clock | source_parameters(self.settings, loading.new)
        remember(self.connection, loading)
        self._refresh(RebuildBy.FILE, parameters)
        execute(self.connection, statement("find_touched"), parameters)
        execute(self.connection, statement("keep_old_keys"), {})
        self.report.touched_sessions = self._refresh_in_chunks(
            RebuildBy.SESSION, SESSIONS_PER_CHUNK, parameters
        )
        execute(self.connection, statement("find_touched_weeks"), {})
        self.report.touched_weeks = self._refresh_in_chunks(RebuildBy.WEEK, WEEKS_PER_CHUNK, parameters)
        execute(self.connection, statement("take_touched_users"), {})
        self.report.touched_users = self._count("touched_users")
        self._refresh(RebuildBy.USER, parameters)
        self._refresh(RebuildBy.ALL, parameters)
        execute(self.connection, statement("find_touched_calendar_weeks"), {})
        self._refresh(RebuildBy.CALENDAR_WEEK, parameters)
        self.progress("checks")
        self.report.checks = run_checks(
            self.connection, load_checks(), touched_only=not self.report.checks_everything
        )
        self._write_build_info()

    def _refresh_in_chunks(
        self, rebuild_by: RebuildBy, chunk_size: int, parameters: Mapping[str, object]
    ) -> int:
        """Refresh so many touched sessions or weeks at a time; returns how many there were."""
        touched = self._count(f"all_touched_{rebuild_by}s")
        for first in range(0, touched, chunk_size):
            chunk = {"first_number": first, "chunk_size": chunk_size}
            execute(self.connection, statement(f"take_touched_{rebuild_by}s"), chunk)
            self._refresh(rebuild_by, parameters)
        return touched

    def _refresh(self, rebuild_by: RebuildBy, parameters: Mapping[str, object]) -> None:
        for model in self.models:
            if model.rebuild_by is not rebuild_by:
                continue
            self.progress(model.name)
            started = time.perf_counter()
            if self.report.is_full and rebuild_by in {RebuildBy.SESSION, RebuildBy.WEEK}:
                # a key is in one chunk: there is nothing yet to be replaced
                execute(self.connection, statement("insert", table=model.name, select=model.sql), parameters)
            else:
                refresh(self.connection, model, parameters)
            seconds = time.perf_counter() - started
            self.report.seconds[model.name] = self.report.seconds.get(model.name, 0.0) + seconds

    def _count(self, table: str) -> int:
        [(count,)] = self.connection.table(table).aggregate("count(*)").fetchall()
        return int(count)

    def _write_build_info(self) -> None:
        report = self.report
        report.row_counts = {
            model.name: self._count(model.name)
            for model in self.models
            if model.rebuild_by is not RebuildBy.VIEW
        }
        checks = [
            {
                "check": f"{result.check.table}.{result.check.name}",
                "severity": result.check.severity,
                "offending_rows": result.offending_rows,
            }
            for result in report.checks
        ]
        parameters = {
            "build_id": report.build_id,
            "as_of": report.as_of,
            "is_full": report.is_full,
            "new_files": report.new_files,
            "row_counts": json.dumps(report.row_counts),
            "checks": json.dumps(checks),
            "failed_blocking_checks": sum(result.blocks for result in report.checks),
            "failed_warning_checks": sum(not result.passed and not result.blocks for result in report.checks),
            "models_hash": self.fingerprint,
            "pipeline_version": version("asleep-pipeline"),
        }
        execute(self.connection, statement("insert_build_info"), parameters)
