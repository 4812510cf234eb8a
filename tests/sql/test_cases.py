"""Every case of cases/ comes out as its rows, in one build and in a build after each arrival."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from ingest.records import Reason
from pipelines.database import build_path
from pipelines.models import SQL_DIR
from tests.builds import different_rows, open_build, table_names
from tests.sql.cases import Case, load_cases
from tests.sql.conftest import World
from tests.sql.worlds import rows_of

CASES = load_cases()


@pytest.fixture(scope="module")
def open_worlds(worlds: list[World]) -> Iterator[dict[str, duckdb.DuckDBPyConnection]]:
    connections = [(world, open_build(world.at_once)) for world in worlds]
    yield {case.slug: connection for world, connection in connections for case in world.cases}
    for _, connection in connections:
        connection.close()


def subset_of(actual: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Those columns of a row that the case speaks of; a number within rounding is the number expected."""
    picked = {}
    for column, wanted in expected.items():
        value = actual[column]
        is_close = (
            isinstance(wanted, float) and value is not None and value == pytest.approx(wanted, abs=1e-4)
        )
        picked[column] = wanted if is_close else value
    return picked


@pytest.mark.parametrize("case", CASES, ids=[f"{case.slug}: {case.name}" for case in CASES])
def test_a_case_comes_out_as_its_rows(case: Case, open_worlds: dict[str, duckdb.DuckDBPyConnection]) -> None:
    for table, expected in case.expect.items():
        actual = rows_of(open_worlds[case.slug], table, case)
        compared = [subset_of(row, wanted) for row, wanted in zip(actual, expected, strict=False)]
        compared += actual[len(expected) :]
        assert compared == expected, f"{table}. {case.source}"


def test_builds_after_each_arrival_end_in_the_rows_of_one_build(worlds: list[World]) -> None:
    for world in worlds:
        paths = (build_path(world.at_once), build_path(world.step_by_step))
        assert not different_rows(*paths, table_names())


def test_every_reason_that_sql_can_give_occurs(worlds: list[World]) -> None:
    texts = "\n".join(path.read_text(encoding="utf-8") for path in SQL_DIR.rglob("*.sql"))
    given = {reason for reason in Reason if re.search(rf"'{reason}'", texts)}
    occurred = set()
    for world in worlds:
        with open_build(world.at_once) as connection:
            found = connection.sql("select distinct reason from quarantined_events").fetchall()
        occurred |= {Reason(reason) for (reason,) in found}
    assert occurred == given


def test_every_case_says_what_it_expects_and_why() -> None:
    for case in CASES:
        assert case.source.strip(), case.slug
        assert case.expect, case.slug
    assert len({case.name for case in CASES}) == len(CASES)
