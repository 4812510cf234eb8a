"""Builds of warehouses in folders of their own, and what two of them differ in."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from ingest.settings import Settings
from pipelines.database import build_lock, build_path
from pipelines.models import load_models
from pipelines.warehouse import BuildReport, build
from tests.raw_events import Event, land

ASIDE: Final = {"raw_file"}
"""Columns that say in which file a record was landed: the only ones that may differ between two landings."""


@contextmanager
def models_read_once() -> Iterator[None]:
    """Parse sql/ once for all builds inside; a build takes half the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.warehouse.load_models", functools.cache(load_models))
        yield


def settings_for(folder: Path, users_file: str | None = None) -> Settings:
    """Settings with a data folder in `folder`, and a users file of this text."""
    if users_file is None:
        return Settings(data_dir=folder / "data")
    path = folder / "users.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(users_file, encoding="utf-8")
    return Settings(data_dir=folder / "data", users_file=path)


def run_build(
    settings: Settings, as_of: datetime, *, full: bool = False, forget: bool = False
) -> BuildReport:
    """A build under the lock; no blocking check may fail."""
    with build_lock(settings):
        report = build(settings, full=full, forget=forget, as_of=as_of)
    assert not [result for result in report.checks if result.blocks]
    return report


def build_of(folder: Path, events: Iterable[Event], as_of: datetime) -> Settings:
    """A warehouse of these events, landed in one file."""
    settings = settings_for(folder)
    land(settings, list(events))
    run_build(settings, as_of)
    return settings


def open_build(settings: Settings) -> duckdb.DuckDBPyConnection:
    """The build database, to read."""
    connection = duckdb.connect(build_path(settings), read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    return connection


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    """What a query finds in the build database."""
    with open_build(settings) as connection:
        return connection.sql(query).fetchall()


def table_names() -> list[str]:
    """Every table and view that a build makes of sql/."""
    return [model.name for model in load_models()]


def different_rows(
    first: Path, second: Path, tables: Iterable[str], *, but: Iterable[str] = ASIDE
) -> dict[str, list[Any]]:
    """Rows that one database has and the other has not, a few per table; empty where they are equal."""
    found = {}
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{first}' as first (read_only)")
        connection.execute(f"attach '{second}' as second (read_only)")
        for table in tables:
            columns = connection.sql(f"from first.{table} limit 0").columns
            kept = ", ".join(f'"{column}"' for column in columns if column not in set(but))
            sides = [f"select {kept} from {side}.{table}" for side in ("first", "second")]
            prints = [
                connection.sql(f"select count(*), sum(hash(r)::hugeint) from ({side}) as r").fetchall()
                for side in sides
            ]
            if prints[0] != prints[1]:
                found[table] = connection.sql(
                    f"(select 'only in the first', * from ({sides[0]} except all {sides[1]})) union all "
                    f"(select 'only in the second', * from ({sides[1]} except all {sides[0]})) limit 6"
                ).fetchall()
    return found
