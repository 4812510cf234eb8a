"""Builds of a world of cases, and their rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import duckdb

from ingest.settings import Settings
from tests.builds import run_build
from tests.raw_events import land
from tests.sql.cases import Case

KEYS: Final = {
    "stg_events": ("log_offset",),
    "int_session_events": ("received_at", "receipt_id"),
    "int_windows": ("received_at", "session_id"),
    "int_session_epochs": ("user_id", "session_id"),
    "sessions": ("user_id", "session_id"),
    "stage_timelines": ("user_id", "session_id", "epoch_index"),
    "stage_runs": ("user_id", "session_id", "run_index"),
    "weekly_trends": ("user_id", "week_start"),
    "weekly_activity": ("week_start",),
    "users": ("user_id",),
    "cohort_metrics": ("cohort_type", "cohort", "week_start nulls first"),
    "cohort_retention": ("cohort_type", "cohort", "weeks_since"),
    "nightly_completeness": ("user_id", "sleep_date"),
    "stat_reconciliation": ("user_id", "session_id", "metric"),
    "session_events": ("user_id", "session_id", "received_at", "receipt_id"),
    "quarantined_events": ("first_seen_at", "receipt_id"),
    "webhook_attempts": ("received_at", "receipt_id"),
}
"""The order in which a case lists the rows of a table."""

_BY_RECEIPT: Final = {"stg_events", "int_session_events", "quarantined_events", "webhook_attempts"}


def build_at_once(settings: Settings, cases: Sequence[Case]) -> None:
    """Each case's events in one raw file per topic, one full build."""
    for partition, case in enumerate(cases):
        for topic in dict.fromkeys(topic for topic, _ in case.events):
            events = [event for of, event in case.events if of == topic]
            land(settings, events, topic=topic, partition=partition)
    run_build(settings, cases[0].as_of)


def build_step_by_step(settings: Settings, cases: Sequence[Case]) -> None:
    """A build after each event of the cases; `as_of` moves with the arrivals, and ends at the cases' own.

    A case that is alone in its world is told three events at a time.
    """
    size = 3 if len(cases) == 1 else 1
    longest = max(len(case.events) for case in cases)
    for start in range(0, longest, size):
        arrivals = [cases[0].as_of]
        for partition, case in enumerate(cases):
            for topic, event in case.events[start : start + size]:
                land(settings, [event], topic=topic, partition=partition)
                arrivals.append(event.received_at)
        run_build(settings, max(arrivals) if start + size < longest else cases[0].as_of)


def rows_of(connection: duckdb.DuckDBPyConnection, table: str, case: Case) -> list[dict[str, Any]]:
    """The case's rows of a table as JSON values, in the order of its key."""
    column = "receipt_id" if table in _BY_RECEIPT else "user_id"
    relation = connection.table(table)
    if column in relation.columns:
        relation = relation.filter(f"starts_with({column}, '{case.slug}')")
    relation = relation.order(", ".join(KEYS[table]))
    return [json.loads(row) for (row,) in connection.sql("select to_json(r) from relation as r").fetchall()]
