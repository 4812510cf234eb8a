"""Reads sql/: one file is one table or view; its header says grain, rebuild rule and columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

SQL_DIR = Path(__file__).resolve().parent.parent / "sql"

_HEADER_FIELD = re.compile(r"(grain|rebuild by|severity): (.+)")
_COLUMN = re.compile(r"(\w+): (.+)")


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
    USER = "user"
    """Rows of the users in touched_users."""
    ALL = "all"
    """The whole table, at each build."""
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
class Model(SqlFile):
    """One table or view of the warehouse."""

    layer: Layer
    grain: str
    rebuild_by: RebuildBy
    depends_on: frozenset[str]
    """Names of the models that it reads."""


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


def _tables_read(path: Path, sql: str) -> set[str]:
    """Names of tables in the query that are not its own common table expressions."""
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.errors.ParseError as error:
        raise ModelError(f"{path}: {error}") from error
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    return {table.name for table in tree.find_all(exp.Table) if table.name} - own


def load_models(sql_dir: Path = SQL_DIR) -> list[Model]:
    """All models below `sql_dir`, each after those that it reads.

    Raises ModelError for a header that is not complete and for a model that reads from a later layer, and
    graphlib.CycleError for models that read each other.
    """
    files = {layer: sorted((sql_dir / layer).glob("*.sql")) for layer in Layer}
    names = {path.stem for paths in files.values() for path in paths}
    models: dict[str, Model] = {}
    for layer, paths in files.items():
        for path in paths:
            file = read_sql(path)
            missing = {"grain", "rebuild by"} - file.fields.keys()
            if missing or not file.description:
                raise ModelError(f"{path}: the header lacks {', '.join(sorted(missing)) or 'a description'}")
            models[file.name] = Model(
                name=file.name,
                path=path,
                sql=file.sql,
                description=file.description,
                fields=file.fields,
                columns=file.columns,
                layer=layer,
                grain=file.fields["grain"],
                rebuild_by=RebuildBy(file.fields["rebuild by"]),
                depends_on=frozenset(_tables_read(path, file.sql) & names),
            )
    _forbid_reading_later_layers(models)
    order = TopologicalSorter({name: model.depends_on for name, model in models.items()}).static_order()
    return [models[name] for name in order]


def _forbid_reading_later_layers(models: Mapping[str, Model]) -> None:
    order: Sequence[Layer] = list(Layer)
    for model in models.values():
        for name in model.depends_on:
            if order.index(models[name].layer) > order.index(model.layer):
                raise ModelError(f"{model.path}: a {model.layer} model reads {name} of {models[name].layer}")
