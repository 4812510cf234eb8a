"""The build database's file: nothing is left beside it, and it is rewritten where it is mostly holes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest.settings import Settings
from pipelines import compaction
from pipelines.compaction import is_hollow
from pipelines.database import build_path
from tests.builds import build_of, different_rows, models_read_once, open_build, run_build, table_names
from tests.publications import publish_now
from tests.raw_events import simulated_events

AS_OF = datetime(2026, 1, 10, tzinfo=UTC)
COLUMNS = """
    select table_name, column_name, data_type, is_nullable, comment
    from duckdb_columns() where schema_name = 'main' order by all
"""
COMMENTS = """
    select table_name, comment from duckdb_tables()
    union all select view_name, comment from duckdb_views() where not internal order by all
"""
STORAGE = "select tags from duckdb_databases() where database_name = current_database()"


@pytest.fixture(scope="module", autouse=True)
def _models_are_read_once() -> Iterator[None]:
    with models_read_once():
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One build; nobody writes to it."""
    return build_of(tmp_path_factory.mktemp("built"), simulated_events(users=3, days=1), AS_OF)


@pytest.fixture
def settings(built: Settings, tmp_path: Path) -> Settings:
    """A copy of the build."""
    shutil.copytree(built.data_dir, tmp_path / "data")
    return Settings(data_dir=tmp_path / "data")


def make_hollow(path: Path) -> None:
    """Write many rows and take them away again; what is behind them keeps the file long."""
    with duckdb.connect(path) as connection:
        connection.execute("create table much as select hash(range) as h from range(3_000_000)")
        connection.execute("create table behind as select hash(range) as h from range(200_000)")
        connection.execute("checkpoint")
        connection.execute("drop table much")
        connection.execute("checkpoint")


def catalog(settings: Settings) -> list[list[tuple[Any, ...]]]:
    with open_build(settings) as connection:
        return [connection.sql(query).fetchall() for query in (COLUMNS, COMMENTS, STORAGE)]


def test_a_build_rewrites_a_file_that_is_mostly_holes_and_nothing_else_changes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "SMALLEST_BYTES", 1)
    make_hollow(build_path(settings))
    assert is_hollow(build_path(settings))
    size, before = build_path(settings).stat().st_size, catalog(settings)
    copy = build_path(settings).with_name("before.duckdb")
    shutil.copyfile(build_path(settings), copy)
    run_build(settings, AS_OF)
    assert build_path(settings).stat().st_size < size / 2
    assert not is_hollow(build_path(settings))
    assert catalog(settings) == before
    assert not different_rows(copy, build_path(settings), [*table_names(), "behind"], but=())
    publish_now(settings)


@pytest.mark.parametrize("smallest", [1, compaction.SMALLEST_BYTES])
def test_a_file_that_is_not_hollow_or_small_is_left_alone(
    smallest: int, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "SMALLEST_BYTES", smallest)
    if smallest > 1:
        make_hollow(build_path(settings))
    inode = build_path(settings).stat().st_ino
    run_build(settings, AS_OF)
    assert build_path(settings).stat().st_ino == inode


@pytest.mark.parametrize("full", [False, True])
def test_what_a_killed_build_left_behind_is_gone_after_the_next(full: bool, settings: Settings) -> None:
    spilled = settings.warehouse_dir / "spill" / "duckdb_temp_1_0_storage_DEFAULT-0.tmp"
    left = [spilled, *(settings.warehouse_dir / f"build.new.duckdb{end}" for end in ("", ".wal"))]
    spilled.parent.mkdir(exist_ok=True)
    for path in left:
        path.write_bytes(b"half of something")
    run_build(settings, AS_OF, full=full)
    assert not [path for path in left if path.exists()]
