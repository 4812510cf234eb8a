"""Runs the checks of sql/checks: each is a query that returns the rows that should not be there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import duckdb

from pipelines.models import SQL_DIR, ModelError, SqlFile, read_sql

SAMPLE_ROWS = 10


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


def run_checks(connection: duckdb.DuckDBPyConnection, checks: Sequence[Check]) -> list[CheckResult]:
    """Run each check on the open warehouse."""
    results = []
    for check in checks:
        offenders = connection.sql(check.query.sql)
        [(count,)] = offenders.aggregate("count(*)").fetchall()
        sample = [str(row) for row in offenders.limit(SAMPLE_ROWS).fetchall()] if count else []
        results.append(CheckResult(check, count, sample))
    return results
