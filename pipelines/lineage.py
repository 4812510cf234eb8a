"""Column lineage: which columns of which models each column of a model is computed from, by its SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlglot import exp
from sqlglot.lineage import Node, lineage

from pipelines.models import Model

Columns = Mapping[str, Mapping[str, str]]
"""Names of tables -> names of their columns -> SQL types."""

Sources = dict[str, list[tuple[str, str]]]
"""A column -> the (table, column) pairs that it is computed from, in order."""

_TOUCHED = {
    "touched_sessions": {"user_id": "varchar", "session_id": "varchar", "session_number": "bigint"},
    "touched_weeks": {"user_id": "varchar", "week_start": "date"},
    "touched_users": {"user_id": "varchar"},
    "touched_calendar_weeks": {"week_start": "date"},
}
"""What a build adds to the models while it runs; never a source."""


def column_lineage(model: Model, columns: Columns) -> Sources:
    """Sources of each column of `model` in other models; `columns` must hold all models that it reads.

    Columns that come from no model (constants, counts of rows, raw files) are left out. Raises
    sqlglot.errors.SqlglotError for a query beyond its understanding.
    """
    if not model.depends_on:
        return {}
    nodes = lineage(None, model.sql, {**columns, **_TOUCHED}, dialect="duckdb", trim_selects=False)
    found = {column: sorted(_leaves(node, model.depends_on)) for column, node in nodes.items()}
    return {column: sources for column, sources in found.items() if sources}


def _leaves(node: Node, tables: Collection[str]) -> set[tuple[str, str]]:
    return {
        (leaf.expression.name, exp.to_column(leaf.name, dialect="duckdb").name)
        for leaf in node.walk()
        if isinstance(leaf.expression, exp.Table) and leaf.expression.name in tables
    }
