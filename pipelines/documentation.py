"""Writes docs/tables.md from sql/: every table that analysts see, its grain, its columns and its checks."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import duckdb

from pipelines.models import Layer, Model, load_models
from pipelines.quality import Check, load_checks
from pipelines.statements import execute, statement


def tables_page() -> str:
    """The whole page, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    models, checks = load_models(), load_checks()
    yield "# Tables of the warehouse"
    yield ""
    yield (
        "Made from the headers in `sql/` by `make docs`; the same texts are comments in the database. "
        "A check that blocks keeps a build from being published; one that warns marks odd data."
    )
    for model in sorted(
        (model for model in models if model.layer is Layer.MARTS), key=lambda model: model.name
    ):
        yield from _model_section(model, [check for check in checks if check.table == model.name])
    yield from _state_sections()
    yield ""
    yield "## Behind them"
    yield ""
    yield "| table | grain | for |"
    yield "|---|---|---|"
    for model in models:
        if model.layer is not Layer.MARTS:
            yield f"| `{model.name}` | {_cell(model.grain)} | {_cell(model.description)} |"


def _model_section(model: Model, checks: list[Check]) -> Iterator[str]:
    yield from ("", f"## {model.name}", "", f"{model.description}", "", f"Grain: {model.grain}.", "")
    yield "| column | meaning |"
    yield "|---|---|"
    for column, meaning in model.columns.items():
        yield f"| `{column}` | {_cell(meaning)} |"
    if checks:
        yield ""
        for check in checks:
            yield f"- {check.severity}s: {check.description}"


def _state_sections() -> Iterator[str]:
    with duckdb.connect() as connection:
        execute(connection, statement("create_state"), {})
        tables = connection.sql("from duckdb_tables()").order("table_name")
        columns = connection.sql("from duckdb_columns() where not internal").order("column_index")
        comments = columns.project("table_name, column_name, comment").fetchall()
        for table, comment in tables.project("table_name, comment").fetchall():
            yield from ("", f"## {table}", "", comment, "", "| column | meaning |", "|---|---|")
            yield from (
                f"| `{name}` | {_cell(meaning)} |" for owner, name, meaning in comments if owner == table
            )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(tables_page())
