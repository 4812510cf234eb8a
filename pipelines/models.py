"""Reads sql/: one file is one table, view or step; its header says grain, rebuild rule and columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import duckdb
from sqlglot.errors import SqlglotError

from pipelines.steps import Names, inline, names_in

SQL_DIR = Path(__file__).resolve().parent.parent / "sql"

STEP: Final = "step"
"""What the header of a step says in place of a rebuild rule."""

_HEADER_FIELD = re.compile(r"(grain|rebuild by|severity): (.+)")
_COLUMN = re.compile(r"(\w+): (.+)")
_STATE = [SQL_DIR / "build" / f"{name}.sql" for name in ("create_state", "create_touched")]
_CREATED = re.compile(r"^create (?:or replace temp )?table (?:if not exists )?(\w+)", re.MULTILINE)


class ModelError(Exception):
    """A file below sql/ does not keep the rules of its folder; the text names the file."""


class Layer(StrEnum):
    """The folders of models, in the order of the data."""

    STAGING = "staging"
    INTERMEDIATE = "intermediate"
    MARTS = "marts"


class RebuildBy(StrEnum):
    """What makes rows of a model stale, and so which of its rows a build deletes and inserts anew."""

    FILE = "file"
    """Rows are added for each new raw file, and never change."""
    SESSION = "session"
    """Rows of the sessions in touched_sessions."""
    WEEK = "week"
    """Rows of the users' weeks in touched_weeks, the week null of sessions without a date among them."""
    USER = "user"
    """Rows of the users in touched_users."""
    ALL = "all"
    """The whole table, at each build."""
    CALENDAR_WEEK = "calendar_week"
    """Rows of everybody's weeks in touched_calendar_weeks, where null is all time."""
    VIEW = "view"
    """Nothing: it is a view."""


@dataclass(frozen=True, slots=True)
class SqlFile:
    """A query and the header above it."""

    name: str
    path: Path
    sql: str
    description: str
    fields: Mapping[str, str]
    columns: Mapping[str, str]

    @property
    def parameters(self) -> set[str]:
        """Names of the `$parameters` in the query."""
        return {
            name for statement in duckdb.extract_statements(self.sql) for name in statement.named_parameters
        }


@dataclass(frozen=True, slots=True)
class Query(SqlFile):
    """A query of one of the layers."""

    layer: Layer
    grain: str
    depends_on: frozenset[str]
    """Names of the models that it reads, itself or through its steps."""
    steps: tuple[Step, ...]
    """The steps that it reads, also through others: each once, after those that it reads itself."""


@dataclass(frozen=True, slots=True)
class Step(Query):
    """A part of long queries: no table, but a common table expression of its name in models that read it."""


@dataclass(frozen=True, slots=True)
class Model(Query):
    """One table or view of the warehouse; `sql` has the queries of its steps in it."""

    rebuild_by: RebuildBy


def read_sql(path: Path) -> SqlFile:
    """Split a file into header and query. Raises ModelError for a line of the header that nobody reads."""
    text = path.read_text(encoding="utf-8")
    fields: dict[str, str] = {}
    columns: dict[str, str] = {}
    description: list[str] = []
    in_columns = False
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        content = line.removeprefix("--").removeprefix(" ")
        if content == "columns:":
            in_columns = True
        elif in_columns:
            if column := _COLUMN.fullmatch(content):
                name = column[1]
                columns[name] = column[2]
            elif columns:
                columns[name] += " " + content
            else:
                raise ModelError(f"{path}: not a column of the header: {line!r}")
        elif match := _HEADER_FIELD.fullmatch(content):
            fields[match[1]] = match[2]
        else:
            description.append(content)
    return SqlFile(path.stem, path, text, " ".join(description), fields, columns)


def load_models(sql_dir: Path = SQL_DIR) -> list[Model]:
    """All models below `sql_dir`, each after those that it reads.

    Raises ModelError for a header that is not complete, for a name that two files have or that nothing has,
    for a file that reads from a later layer, and for files that read each other.
    """
    files: dict[str, SqlFile] = {}
    layers: dict[str, Layer] = {}
    for layer in Layer:
        for path in sorted((sql_dir / layer).rglob("*.sql")):
            file = _read_query(path)
            if file.name in files:
                raise ModelError(f"{path}: {files[file.name].path} has the same name")
            files[file.name], layers[file.name] = file, layer
    names = {name: _names_in(file) for name, file in files.items()}
    steps = frozenset(name for name, file in files.items() if file.fields["rebuild by"] == STEP)
    _forbid_other_names(files, names, steps)
    _forbid_reading_later_layers(files, layers, names)
    queries: dict[str, Query] = {}
    for name in _in_order(files, names):
        read = [queries[other] for other in sorted(names[name].read & files.keys())]
        queries[name] = _query(files[name], layers[name], read)
    return [query for query in queries.values() if isinstance(query, Model)]


def _read_query(path: Path) -> SqlFile:
    file = read_sql(path)
    missing = {"grain", "rebuild by"} - file.fields.keys()
    if missing or not file.description:
        raise ModelError(f"{path}: the header lacks {', '.join(sorted(missing)) or 'a description'}")
    rules = [*RebuildBy, STEP]
    if (rule := file.fields["rebuild by"]) not in rules:
        raise ModelError(f"{path}: rebuild by: {rule} is none of {', '.join(rules)}")
    return file


def _names_in(file: SqlFile) -> Names:
    try:
        return names_in(file.sql)
    except SqlglotError as error:
        raise ModelError(f"{file.path}: {error}") from error


def _query(file: SqlFile, layer: Layer, read: Iterable[Query]) -> Query:
    """The file as step or model, with what it takes over from the steps that it reads."""
    steps: dict[str, Step] = {}
    depends_on: set[str] = set()
    for query in read:
        if isinstance(query, Step):
            steps |= {step.name: step for step in (*query.steps, query)}
            depends_on |= query.depends_on
        else:
            depends_on.add(query.name)
    rule, grain = file.fields["rebuild by"], file.fields["grain"]
    sql = file.sql if rule == STEP else inline(file.sql, {name: step.sql for name, step in steps.items()})
    written = (file.name, file.path, sql, file.description, file.fields, file.columns)
    found = (layer, grain, frozenset(depends_on), tuple(steps.values()))
    return Step(*written, *found) if rule == STEP else Model(*written, *found, RebuildBy(rule))


def _forbid_other_names(
    files: Mapping[str, SqlFile], names: Mapping[str, Names], steps: frozenset[str]
) -> None:
    tables = set(_CREATED.findall("\n".join(path.read_text(encoding="utf-8") for path in _STATE)))
    for name, file in files.items():
        if unknown := names[name].read - files.keys() - tables:
            raise ModelError(
                f"{file.path}: reads {', '.join(sorted(unknown))}, which is no model or step, and no table of"
                " sql/build"
            )
        if hidden := names[name].own & steps:
            raise ModelError(
                f"{file.path}: {', '.join(sorted(hidden))} is the name of a step: give the common table"
                " expression another one"
            )


def _forbid_reading_later_layers(
    files: Mapping[str, SqlFile], layers: Mapping[str, Layer], names: Mapping[str, Names]
) -> None:
    order = list(Layer)
    for name, file in files.items():
        for other in sorted(names[name].read & files.keys()):
            if order.index(layers[other]) > order.index(layers[name]):
                raise ModelError(f"{file.path}: a {layers[name]} model reads {other} of {layers[other]}")


def _in_order(files: Mapping[str, SqlFile], names: Mapping[str, Names]) -> list[str]:
    """Names of the files, each after those that it reads; the same order each time."""
    read = {name: sorted(names[name].read & files.keys()) for name in files}
    try:
        return list(TopologicalSorter(read).static_order())
    except CycleError as error:
        circle = [str(files[name].path) for name in error.args[1]]
        raise ModelError(f"files that read each other: {', '.join(circle)}") from error
