"""Looks at a finished build through a person's eyes: columns, a few rows, the newest night."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb

from pipelines.lineage import Columns
from pipelines.models import Layer, Model
from pipelines.statements import statement

SAMPLE_ROWS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """The first few rows of a table."""

    columns: Sequence[str]
    rows: Sequence[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class NewestNight:
    """The last complete main sleep; `stages` has one value (-1..3) per 30-s epoch."""

    session_id: str
    sleep_date: date
    started_local: datetime
    timezone: str
    stages: Sequence[int]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a build's database looks like; samples are of the marts only."""

    columns: Columns
    samples: Mapping[str, Sample]
    newest_night: NewestNight | None


@dataclass(frozen=True, slots=True)
class PublishedBuild:
    """What a published file says of itself; sizes in bytes."""

    build_id: int
    as_of: datetime
    is_full: bool
    row_counts: Mapping[str, int]
    failed_warning_checks: int
    newest_received_at: datetime | None
    size_bytes: int


def inspect_build(path: Path, models: Sequence[Model]) -> Inspection:
    """Look at the database of `models` at `path`; reads only."""
    with duckdb.connect(path, read_only=True) as connection:
        columns: dict[str, dict[str, str]] = {model.name: {} for model in models}
        described = connection.sql(
            "from duckdb_columns() where not internal order by table_name, column_index"
        )
        for table, column, sql_type in described.project("table_name, column_name, data_type").fetchall():
            columns.setdefault(table, {})[column] = sql_type
        samples = {}
        for model in models:
            if model.layer is Layer.MARTS:
                rows = connection.table(model.name).limit(SAMPLE_ROWS)
                samples[model.name] = Sample(rows.columns, rows.fetchall())
        return Inspection(columns, samples, _newest_night(connection))


def inspect_published(path: Path) -> PublishedBuild:
    """Look at a published file; reads only."""
    with duckdb.connect(path, read_only=True) as connection:
        newest = connection.sql("from build_info order by build_id desc limit 1")
        [(build_id, as_of, is_full, row_counts, warnings)] = newest.project(
            "build_id, as_of, is_full, row_counts, failed_warning_checks"
        ).fetchall()
        [(received_at,)] = connection.table("stg_events").aggregate("max(received_at)").fetchall()
    return PublishedBuild(
        build_id, as_of, is_full, json.loads(row_counts), warnings, received_at, path.stat().st_size
    )


def _newest_night(connection: duckdb.DuckDBPyConnection) -> NewestNight | None:
    rows = connection.sql(statement("newest_night")).fetchall()
    return NewestNight(*rows[0]) if rows else None
