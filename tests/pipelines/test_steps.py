"""Steps: queries that are no tables, in the queries of the models that read them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipelines.models import SQL_DIR, STEP, Layer, Model, ModelError, load_models, read_sql
from pipelines.steps import inline
from pipelines.table_metadata import definition_metadata


def write(path: Path, sql: str, rule: str = STEP) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"-- grain: one\n-- rebuild by: {rule}\n-- What {path.stem} is for.\n{sql}\n", "utf-8")


def only_model(sql_dir: Path) -> Model:
    [model] = load_models(sql_dir)
    return model


def test_a_step_is_no_model_but_part_of_the_query_that_reads_it(tmp_path: Path) -> None:
    write(tmp_path / "marts" / "doubled.sql", "select 2 * n as n from counted -- the end", "all")
    write(tmp_path / "marts" / "steps" / "counted.sql", "select n from range($top) as r(n) -- up to the top")
    model = only_model(tmp_path)
    assert [step.name for step in model.steps] == ["counted"]
    assert model.parameters == {"top"}
    assert duckdb.execute(model.sql, {"top": 3}).fetchall() == [(0,), (2,), (4,)]


def test_a_step_comes_before_the_own_expressions_of_query_and_of_step(tmp_path: Path) -> None:
    write(tmp_path / "marts" / "a.sql", "with x as (select n + 1 as n from s) select n from x", "all")
    write(tmp_path / "marts" / "s.sql", "with x as (select 40 as n)\n\nselect n + 1 as n from x")
    assert duckdb.execute(only_model(tmp_path).sql).fetchall() == [(42,)]


def test_a_step_read_twice_and_through_another_is_there_once(tmp_path: Path) -> None:
    write(tmp_path / "marts" / "a.sql", "select a.n, b.n from s1 as a, s1 as b, s2", "all")
    write(tmp_path / "marts" / "s2.sql", "select n from s1")
    write(tmp_path / "marts" / "s1.sql", "select 1 as n")
    model = only_model(tmp_path)
    assert [step.name for step in model.steps] == ["s1", "s2"]
    assert model.sql.count("s1 as (") == 1
    assert duckdb.execute(model.sql).fetchall() == [(1, 1)]


def test_a_model_depends_on_what_its_steps_read(tmp_path: Path) -> None:
    write(tmp_path / "staging" / "base.sql", "select 1 as n", "file")
    write(tmp_path / "marts" / "a.sql", "select n from s2", "all")
    write(tmp_path / "marts" / "s2.sql", "select n from s1")
    write(tmp_path / "marts" / "s1.sql", "select n from base")
    assert [(model.name, model.depends_on) for model in load_models(tmp_path)] == [
        ("base", frozenset()),
        ("a", frozenset({"base"})),
    ]


@pytest.mark.parametrize(
    ("query", "whole"),
    [
        ("select n from s", "with\n    s as (\nselect 1\n    )\n\nselect n from s"),
        (
            "-- é\nWith x as (from s) from x",
            "-- é\nWith\n    s as (\nselect 1\n    ),\n x as (from s) from x",
        ),
        (
            "with recursive x as (from s) from x",
            "with recursive\n    s as (\nselect 1\n    ),\n x as (from s) from x",
        ),
    ],
)
def test_steps_are_put_where_the_query_begins(query: str, whole: str) -> None:
    assert inline(query, {"s": "select 1\n"}) == whole


def test_the_text_of_a_step_is_kept_to_the_letter() -> None:
    sql = inline("select n from s", {"s": "select 'one\ntwo' as n"})
    assert duckdb.execute(sql).fetchall() == [("one\ntwo",)]


def test_a_name_that_nothing_has_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "marts" / "a.sql", "select n from s1", "all")
    write(tmp_path / "marts" / "s1.sql", "select n from s3 inner join touched_users using (n)")
    with pytest.raises(ModelError, match=r"s1\.sql: reads s3, which is no model or step"):
        load_models(tmp_path)


def test_steps_that_read_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "marts" / "s1.sql", "select n from s2")
    write(tmp_path / "marts" / "s2.sql", "select n from s1")
    with pytest.raises(ModelError, match=r"read each other: .*s1\.sql, .*s2\.sql, .*s1\.sql"):
        load_models(tmp_path)


def test_an_expression_named_like_a_step_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "marts" / "a.sql", "with s1 as (select 1 as n) select n from s1", "all")
    write(tmp_path / "marts" / "s1.sql", "select 2 as n")
    with pytest.raises(ModelError, match=r"a\.sql: s1 is the name of a step"):
        load_models(tmp_path)


def test_a_step_of_a_later_layer_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "staging" / "a.sql", "select n from s1", "all")
    write(tmp_path / "marts" / "s1.sql", "select 2 as n")
    with pytest.raises(ModelError, match=r"a\.sql: a staging model reads s1 of marts"):
        load_models(tmp_path)


def test_one_name_for_two_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "marts" / "a.sql", "select 1 as n", "all")
    write(tmp_path / "marts" / "steps" / "a.sql", "select 2 as n")
    with pytest.raises(ModelError, match=r"steps/a\.sql: .*marts/a\.sql has the same name"):
        load_models(tmp_path)


def test_steps_of_the_warehouse_are_in_folders_of_their_own_and_all_are_read() -> None:
    files = {
        path.stem: path.parent.name == "steps" for layer in Layer for path in (SQL_DIR / layer).rglob("*.sql")
    }
    models = load_models()
    read = {step.name for model in models for step in model.steps}
    assert read == {name for name, is_step in files.items() if is_step}
    assert {model.name for model in models} == files.keys() - read
    assert all(read_sql(step.path).fields["rebuild by"] == STEP for model in models for step in model.steps)


def test_dagster_tells_the_steps_of_a_model_in_their_order() -> None:
    models = {model.name: model for model in load_models()}
    told = definition_metadata(models["int_session_epochs"])["steps"].value
    assert isinstance(told, str)
    names = [line.split("`")[1] for line in told.splitlines()]
    assert names[0] == "int_session_epochs_reports"
    assert set(names) == {step.name for step in models["int_session_epochs"].steps}
    assert "steps" not in definition_metadata(models["users"])
