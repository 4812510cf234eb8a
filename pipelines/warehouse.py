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

from ingest.settings import Settings
from pipelines.database import (
    build_path,
    connect,
    previous_builds,
    published_versions,
    remove_database,
    replace_database,
)
from pipelines.models import Model, RebuildBy, load_models
from pipelines.quality import CheckResult, load_checks, run_checks
from pipelines.sources import new_files, remember, source_parameters
from pipelines.statements import create, execute, refresh, statement

SESSIONS_PER_CHUNK = 10_000

Progress = Callable[[str], None]


@dataclass(slots=True)
class BuildReport:
    """What a build did."""

    build_id: int
    as_of: datetime
    is_full: bool
    new_files: int = 0
    touched_sessions: int = 0
    touched_users: int = 0
    row_counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    checks: Sequence[CheckResult] = ()


def build(
    settings: Settings,
    *,
    full: bool = False,
    as_of: datetime | None = None,
    progress: Progress = lambda _: None,
) -> BuildReport:
    """Bring build.duckdb up to date with the raw files; call it with the build lock held.

    `as_of` (default: now) is the moment that decides which silent sessions are abandoned. A full build makes
    a new file from all raw files and gives the same rows; a changed model makes any build a full one.
    """
    models = load_models()
    fingerprint = _fingerprint(models)
    target = build_path(settings)
    previous = previous_builds(target)
    full = full or previous.models_hash != fingerprint
    # also where build.duckdb was lost: a version that is published keeps its number for itself
    last_build_id = max([previous.last_build_id, *published_versions(settings)])
    report = BuildReport(last_build_id + 1, as_of or datetime.now(UTC), full)
    working = target.with_name("build.new.duckdb") if full else target
    if full:
        remove_database(working)
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
    return report


def _fingerprint(models: Sequence[Model]) -> str:
    """Changes when any model's file does."""
    return hashlib.sha256("\0".join(f"{model.name}\0{model.sql}" for model in models).encode()).hexdigest()


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
            nothing = clock | source_parameters(self.settings, [])
            for model in self.models:
                create(self.connection, model, nothing)
        files = new_files(self.settings, self.connection)
        self.report.new_files = len(files)
        parameters = clock | source_parameters(self.settings, files)
        self._refresh(RebuildBy.FILE, parameters)
        remember(self.connection, files, self.report.build_id)
        execute(self.connection, statement("find_touched"), parameters)
        self.report.touched_sessions = self._count("all_touched_sessions")
        for first in range(0, self.report.touched_sessions, SESSIONS_PER_CHUNK):
            chunk = {"first_number": first, "chunk_size": SESSIONS_PER_CHUNK}
            execute(self.connection, statement("take_touched_sessions"), chunk)
            self._refresh(RebuildBy.SESSION, parameters)
        execute(self.connection, statement("take_touched_users"), {})
        self.report.touched_users = self._count("touched_users")
        self._refresh(RebuildBy.USER, parameters)
        self._refresh(RebuildBy.ALL, parameters)
        self.progress("checks")
        self.report.checks = run_checks(self.connection, load_checks())
        self._write_build_info()

    def _refresh(self, rebuild_by: RebuildBy, parameters: Mapping[str, object]) -> None:
        for model in self.models:
            if model.rebuild_by is not rebuild_by:
                continue
            self.progress(model.name)
            started = time.perf_counter()
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
