"""The checks of sql/checks as Dagster asset checks: what each is, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from pipelines.quality import Check, CheckResult, Severity

PUBLISHED: Final = "published_warehouse"
NEWEST_EVENT: Final = "newest_event_is_recent"
QUIET_FOR: Final = timedelta(hours=24)
"""People sleep every night: a longer silence is a fault on the way here more often than not."""


def check_specs(checks: Sequence[Check]) -> list[dg.AssetCheckSpec]:
    """One spec per check, on the asset of its table; a failed one that blocks stops publishing."""
    return [
        dg.AssetCheckSpec(
            check.name,
            asset=check.table,
            description=f"{check.description} {_CONSEQUENCE[check.severity]}",
            blocking=check.severity is Severity.BLOCK,
            metadata={"sql": dg.MetadataValue.md(f"```sql\n{check.query.sql}\n```")},
        )
        for check in checks
    ]


def check_result(result: CheckResult) -> dg.AssetCheckResult:
    """What a finished check reports: the number of offending rows and the first few of them."""
    check = result.check
    metadata: dict[str, dg.MetadataValue] = {
        "offending rows": dg.MetadataValue.int(result.offending_rows),
        "sql": dg.MetadataValue.md(f"```sql\n{check.query.sql}\n```"),
    }
    if result.sample:
        rows = "\n".join(result.sample).replace("`", "'")
        metadata["first offending rows"] = dg.MetadataValue.md(f"```text\n{rows}\n```")
    return dg.AssetCheckResult(
        passed=result.passed,
        asset_key=check.table,
        check_name=check.name,
        severity=_SEVERITY[check.severity],
        description=None if result.passed else f"does not hold for {result.offending_rows:,} rows",
        metadata=metadata,
    )


def newest_event_spec() -> dg.AssetCheckSpec:
    """Spec of the check that events still arrive."""
    return dg.AssetCheckSpec(
        NEWEST_EVENT,
        asset=PUBLISHED,
        description=(
            f"The newest event arrived within the last {_in_words(QUIET_FOR)} before the build. A failure "
            "warns: look at the receiver, the event log and the lander."
        ),
    )


def newest_event_result(newest_received_at: datetime | None, as_of: datetime) -> dg.AssetCheckResult:
    """How old the newest event was at the moment that the build took for now."""
    if newest_received_at is None:
        return _newest_event(passed=False, description="no event has arrived yet", metadata={})
    age = max(as_of - newest_received_at, timedelta())
    return _newest_event(
        passed=age <= QUIET_FOR,
        description=f"the newest event was {_in_words(age)} old",
        metadata={
            "newest event": dg.MetadataValue.timestamp(newest_received_at.astimezone(UTC)),
            "age in hours": dg.MetadataValue.float(round(age / timedelta(hours=1), 2)),
        },
    )


def _newest_event(
    *, passed: bool, description: str, metadata: dict[str, dg.MetadataValue]
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed,
        asset_key=PUBLISHED,
        check_name=NEWEST_EVENT,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )


_SEVERITY: Final = {
    Severity.BLOCK: dg.AssetCheckSeverity.ERROR,
    Severity.WARN: dg.AssetCheckSeverity.WARN,
}
_CONSEQUENCE: Final = {
    Severity.BLOCK: "A failure blocks publishing.",
    Severity.WARN: "A failure warns: the build is published.",
}


def _in_words(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    return f"{hours:.0f} hours" if hours >= 2 else f"{span / timedelta(minutes=1):.0f} minutes"
