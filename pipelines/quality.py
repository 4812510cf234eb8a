"""Runs the checks of sql/checks: each is a query that returns the rows that should not be there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import duckdb

from pipelines.models import SQL_DIR, ModelError, SqlFile, read_sql
from pipelines.statements import execute, statement

SAMPLE_ROWS = 10

OF_ONE_SESSION: Final = frozenset(
    {
        "int_session_events__are_staged",
        "sessions__totals_equal_timeline",
        "stage_runs__cover_the_timeline",
        "stage_timelines__arrays_are_aligned",
        "stage_timelines__values_in_range",
        "stg_events__is_a_session_event_or_quarantined",
    }
)
"""Checks of which each session's own rows decide: what a build did not write, it can not have broken."""

_TABLES_OF_SESSIONS: Final = (
    "int_session_epochs",
    "int_session_events",
    "int_stage_runs",
    "sessions",
    "stg_events",
)


class Severity(StrEnum):
    """What a failed check does."""

    BLOCK = "block"
    """Only a fault of ours can fail it: the build is not published."""
    WARN = "warn"
    """Odd data can fail it: the build is published, and the rows are marked."""


@dataclass(frozen=True, slots=True)
class Check:
    """One query over one table."""

    name: str
    table: str
    severity: Severity
    query: SqlFile

    @property
    def description(self) -> str:
        """What must hold, in words."""
        return self.query.description


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a check ended: the number of offending rows, and the first few of them as text."""

    check: Check
    offending_rows: int
    sample: Sequence[str]

    @property
    def passed(self) -> bool:
        """Whether no row offends."""
        return self.offending_rows == 0

    @property
    def blocks(self) -> bool:
        """Whether this result forbids publishing."""
        return not self.passed and self.check.severity is Severity.BLOCK


def load_checks(sql_dir: Path = SQL_DIR) -> list[Check]:
    """All checks below `sql_dir`, by name. Raises ModelError for a wrong name or header."""
    checks = []
    for path in sorted((sql_dir / "checks").glob("*.sql")):
        query = read_sql(path)
        table, separator, what = query.name.partition("__")
        if not separator or query.fields.get("severity") not in list(Severity) or not query.description:
            raise ModelError(
                f"{path}: must be <table>__<what_must_hold>.sql with `severity:` and a description"
            )
        checks.append(Check(what, table, Severity(query.fields["severity"]), query))
    return checks


def run_checks(
    connection: duckdb.DuckDBPyConnection, checks: Sequence[Check], *, touched_only: bool = False
) -> list[CheckResult]:
    """Run each check on the open warehouse, and return the results in the order of the checks.

    With `touched_only` those that are OF_ONE_SESSION look at the sessions in all_touched_sessions alone: of
    the others the rows are those that earlier checks have seen.
    """
    if not touched_only:
        return [_run(connection, check) for check in checks]
    results = {
        check.query.name: _run(connection, check)
        for check in checks
        if check.query.name not in OF_ONE_SESSION
    }
    [(catalog,)] = connection.sql("select current_database()").fetchall()
    for table in _TABLES_OF_SESSIONS:
        execute(connection, statement("show_touched_only", table=table, catalog=catalog), {})
    results |= {
        check.query.name: _run(connection, check) for check in checks if check.query.name in OF_ONE_SESSION
    }
    for table in _TABLES_OF_SESSIONS:
        execute(connection, statement("show_all_again", table=table), {})
    return [results[check.query.name] for check in checks]


def _run(connection: duckdb.DuckDBPyConnection, check: Check) -> CheckResult:
    offenders = connection.sql(check.query.sql)
    [(count,)] = offenders.aggregate("count(*)").fetchall()
    sample = [str(row) for row in offenders.limit(SAMPLE_ROWS).fetchall()] if count else []
    return CheckResult(check, count, sample)
