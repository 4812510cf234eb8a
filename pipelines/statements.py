"""The statements of sql/build: the frame in which a model's query is created, deleted from and inserted."""

from __future__ import annotations

import re
from collections.abc import Mapping

import duckdb

from pipelines.models import SQL_DIR, Model, RebuildBy

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")


def statement(name: str, **parts: str) -> str:
    """The text of sql/build/<name>.sql with its `{parts}` filled in; identifiers must be plain names."""
    text = (SQL_DIR / "build" / f"{name}.sql").read_text(encoding="utf-8")
    for part in ("table", "column", "kind"):
        if part in parts and not _IDENTIFIER.fullmatch(parts[part]):
            raise ValueError(f"{part} must be a plain name, not {parts[part]!r}")
    for part, value in parts.items():
        text = text.replace("{" + part + "}", value)
    return text


def execute(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object]) -> None:
    """Run each statement of `sql` with those of the parameters that it names."""
    for prepared in duckdb.extract_statements(sql):
        wanted = {name: parameters[name] for name in prepared.named_parameters}
        connection.execute(prepared, wanted)


def create(connection: duckdb.DuckDBPyConnection, model: Model, parameters: Mapping[str, object]) -> None:
    """Create the model's table or view, with its comments."""
    kind = "view" if model.rebuild_by is RebuildBy.VIEW else "table"
    execute(connection, statement(f"create_{kind}", table=model.name, select=model.sql), parameters)
    text = _quoted(f"{model.description} Grain: {model.grain}.")
    execute(connection, statement("comment_on_relation", kind=kind, table=model.name, text=text), {})
    for column, meaning in model.columns.items():
        comment = statement("comment_on_column", table=model.name, column=column, text=_quoted(meaning))
        execute(connection, comment, {})


def refresh(connection: duckdb.DuckDBPyConnection, model: Model, parameters: Mapping[str, object]) -> None:
    """Replace the model's touched rows; of a model by file, add the rows of the new files."""
    if model.rebuild_by is not RebuildBy.FILE:
        execute(connection, statement(f"delete_by_{model.rebuild_by}", table=model.name), {})
    execute(connection, statement("insert", table=model.name, select=model.sql), parameters)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
