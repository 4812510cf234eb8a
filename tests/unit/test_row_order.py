"""Rows sorted piece by piece are what sorting them at once would have made."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import row_order
from ingest.row_order import in_order

BY = ("user_id", "session_id", "log_offset")
texts = st.none() | st.sampled_from(["", "a", "b", "ß", "ﬁ", "\U0001f600", "\uffff"])


def table_of(rows: list[tuple[str | None, str | None]], first: int) -> pa.Table:
    return pa.table(
        {
            "user_id": pa.array([user for user, _ in rows], pa.string()),
            "session_id": pa.array([session for _, session in rows], pa.string()),
            "log_offset": pa.array(range(first, first + len(rows)), pa.int64()),
        }
    )


def tables_of(parts: list[list[tuple[str | None, str | None]]]) -> list[pa.Table]:
    first = 0
    tables = []
    for part in parts:
        tables.append(table_of(part, first))
        first += len(part)
    return tables


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    parts=st.lists(st.lists(st.tuples(texts, texts), max_size=20), max_size=8),
    piece_bytes=st.sampled_from([1, 100, 600, 10**6]),
)
def test_any_rows_come_sorted_as_arrow_sorts_them_however_small_the_pieces(
    tmp_path: Path, parts: list[list[tuple[str | None, str | None]]], piece_bytes: int
) -> None:
    tables = tables_of(parts)
    sorted_rows = list(in_order(iter(tables), BY, tmp_path / "scratch", piece_bytes=piece_bytes))
    everything = pa.concat_tables([table_of([], 0), *tables])
    expected = everything.sort_by([(name, "ascending") for name in BY])
    assert pa.concat_tables([expected.slice(0, 0), *sorted_rows]).equals(expected)
    assert not list(tmp_path.rglob("*.*"))


def test_pieces_are_joined_in_parts_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_order, "_PART_ROWS", 500)
    chance = random.Random(1)
    rows: list[tuple[str | None, str | None]] = [
        (f"user-{chance.randrange(50)}", f"session-{chance.randrange(4)}") for _ in range(10_000)
    ]
    tables = [table_of(rows[start : start + 300], start) for start in range(0, len(rows), 300)]
    parts = list(in_order(iter(tables), BY, tmp_path, piece_bytes=20_000))
    assert sum(part.num_rows for part in parts) == 10_000
    assert max(part.num_rows for part in parts) <= 1_000
    assert 15 <= len(parts) <= 40
