"""The files of sql/: their headers, their order, and that the database says what the headers say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from ingest.records import Reason
from pipelines.models import SQL_DIR, Layer, Model, ModelError, RebuildBy, load_models, read_sql
from pipelines.statements import statement
from tests.builds import open_build, run_build, settings_for

MODELS = {model.name: model for model in load_models()}
INGEST_DIR = SQL_DIR.parent / "ingest"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty warehouse, to look at its catalog."""
    settings = settings_for(tmp_path_factory.mktemp("models"))
    run_build(settings, datetime(2026, 1, 6, tzinfo=UTC))
    with open_build(settings) as connection:
        yield connection


def catalog(database: duckdb.DuckDBPyConnection, query: str) -> Mapping[str, dict[str, str | None]]:
    """Comments by table and column."""
    found: dict[str, dict[str, str | None]] = {}
    for table, column, comment in database.sql(query).fetchall():
        found.setdefault(table, {})[column] = comment
    return found


def test_every_column_of_a_mart_has_its_header_as_comment_and_no_header_is_without_a_column(
    database: duckdb.DuckDBPyConnection,
) -> None:
    comments = catalog(
        database, "select table_name, column_name, comment from duckdb_columns() where not internal"
    )
    for model in MODELS.values():
        if model.layer is Layer.MARTS:
            assert comments[model.name] == dict(model.columns), model.name
        else:
            assert model.columns.keys() <= comments[model.name].keys(), model.name
    for table in ("build_info", "loaded_offsets", "raw_files"):
        assert None not in comments[table].values(), table


def test_every_table_and_view_has_a_comment(database: duckdb.DuckDBPyConnection) -> None:
    comments = dict(
        database.sql(
            "select table_name, comment from duckdb_tables() where not temporary union all"
            " select view_name, comment from duckdb_views() where not internal"
        ).fetchall()
    )
    assert comments.keys() == MODELS.keys() | {"build_info", "loaded_offsets", "raw_files"}
    assert None not in comments.values()
    for model in MODELS.values():
        assert comments[model.name] == f"{model.description} Grain: {model.grain}."


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_a_model_computes_what_its_rebuild_rule_deletes(model: Model) -> None:
    """Rows of sessions, weeks or users that were not touched would be inserted a second time."""
    wanted = {
        RebuildBy.SESSION: "touched_sessions",
        RebuildBy.WEEK: "touched_weeks",
        RebuildBy.USER: "touched_users",
        RebuildBy.CALENDAR_WEEK: "touched_calendar_weeks",
    }.get(model.rebuild_by)
    named = set(re.findall(r"\btouched_\w+\b", model.sql))
    assert named == ({wanted} if wanted else set())


def test_a_model_reads_only_what_is_rebuilt_before_it() -> None:
    order = [RebuildBy.FILE, RebuildBy.SESSION, RebuildBy.WEEK, RebuildBy.USER]
    order += [RebuildBy.ALL, RebuildBy.CALENDAR_WEEK]
    for model in MODELS.values():
        for name in model.depends_on:
            read = MODELS[name].rebuild_by
            if RebuildBy.VIEW not in {read, model.rebuild_by}:
                assert order.index(read) <= order.index(model.rebuild_by), f"{model.name} reads {name}"


def test_models_come_after_those_that_they_read() -> None:
    seen: set[str] = set()
    for name, model in MODELS.items():
        assert model.depends_on <= seen
        seen.add(name)
    assert MODELS["sessions"].depends_on >= {"int_main_sleeps", "int_sessions", "int_vendor_statistics"}


def test_no_file_of_sql_is_longer_than_its_reader_can_hold() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SQL_DIR.rglob("*.sql")}
    assert len(lines) > 100
    assert {path.name: count for path, count in lines.items() if count > 120} == {}


def literals(name: str) -> set[str]:
    """The words that SQL gives as reason: `'reason': 'word'`, or a literal named reason."""
    found = set()
    for path in SQL_DIR.rglob("*.sql"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(rf"'{name}'\s*:\s*'(\w+)'", text)) | set(
            re.findall(rf"'(\w+)' as {name}\b", text)
        )
        found |= set(re.findall(rf"coalesce\({name}, '(\w+)'\)", text))
    return found


def test_sql_gives_no_reason_that_the_other_rooms_do_not_know() -> None:
    given = literals("reason")
    assert len(given) > 10
    assert given <= set(Reason)


def test_every_reason_is_given_by_sql_or_by_the_receiver() -> None:
    code = "".join(
        path.read_text(encoding="utf-8") for path in INGEST_DIR.rglob("*.py") if path.name != "records.py"
    )
    by_ingest = {reason for reason in Reason if f"Reason.{reason.name}" in code}
    assert by_ingest | literals("reason") == set(Reason)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


HEADER = "-- grain: one row per a\n-- rebuild by: all\n-- What it is for.\n"


def test_a_header_is_read_field_by_field(tmp_path: Path) -> None:
    write(
        tmp_path / "a.sql",
        "-- grain: one row per a\n-- rebuild by: session\n-- Two lines\n-- of text.\n-- columns:\n"
        "-- a: the key: with a colon\n-- b_2: on\n-- two lines\nselect 1 as a, $b as b_2 -- not: a header",
    )
    file = read_sql(tmp_path / "a.sql")
    assert file.fields == {"grain": "one row per a", "rebuild by": "session"}
    assert file.description == "Two lines of text."
    assert file.columns == {"a": "the key: with a colon", "b_2": "on two lines"}
    assert file.parameters == {"b"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- rebuild by: all\n-- Text.\nselect 1", "lacks grain"),
        ("-- grain: one\n-- rebuild by: all\nselect 1", "lacks a description"),
        ("select 1", "lacks grain, rebuild by"),
        (HEADER + "select from where", "a.sql"),
        (HEADER.replace("all", "magic") + "select 1", "rebuild by: magic is none of file, .*, step"),
    ],
)
def test_a_header_that_is_not_complete_is_refused(text: str, complaint: str, tmp_path: Path) -> None:
    write(tmp_path / "marts" / "a.sql", text)
    with pytest.raises(ModelError, match=complaint):
        load_models(tmp_path)


def test_a_model_that_reads_from_a_later_layer_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "marts" / "late.sql", HEADER + "select 1 as a")
    write(tmp_path / "staging" / "early.sql", HEADER + "select * from late")
    with pytest.raises(ModelError, match=r"early\.sql: a staging model reads late of marts"):
        load_models(tmp_path)


def test_models_that_read_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "marts" / "a.sql", HEADER + "select * from b")
    write(tmp_path / "marts" / "b.sql", HEADER + "select * from a")
    with pytest.raises(ModelError, match=r"read each other: .*a\.sql, .*b\.sql, .*a\.sql"):
        load_models(tmp_path)


def test_a_common_table_expression_is_no_model(tmp_path: Path) -> None:
    write(tmp_path / "marts" / "a.sql", HEADER + "select 1 as a")
    write(tmp_path / "marts" / "b.sql", HEADER + "with a as (select 2 as a) select * from a")
    assert {model.name: model.depends_on for model in load_models(tmp_path)}["b"] == frozenset()


@pytest.mark.parametrize("part", ["table", "column", "kind"])
def test_a_name_that_is_none_never_gets_into_a_statement(part: str) -> None:
    with pytest.raises(ValueError, match=f"{part} must be a plain name"):
        statement("comment_on_column", **{part: "sessions; drop table sessions"})
