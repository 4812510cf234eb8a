"""Steps: queries that are no tables, put as common table expressions into the queries that read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import sqlglot
from sqlglot import TokenType, exp


class Names(NamedTuple):
    """The names of relations in a query."""

    read: frozenset[str]
    """What it reads that is not its own."""
    own: frozenset[str]
    """Its common table expressions, at whatever depth."""


def names_in(sql: str) -> Names:
    """What a query reads and what it defines; table functions have no name. Raises sqlglot's ParseError."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    own = frozenset(cte.alias for cte in tree.find_all(exp.CTE))
    return Names(frozenset(table.name for table in tree.find_all(exp.Table) if table.name) - own, own)


def inline(sql: str, steps: Mapping[str, str]) -> str:
    """The query with the steps (name -> query) before its own common table expressions, in their order.

    The text of each is kept to the letter: an indented line may be one inside a literal.
    """
    if not steps:
        return sql
    text = ",\n\n".join(f"    {name} as (\n{step.strip()}\n    )" for name, step in steps.items())
    first, *others = sqlglot.tokenize(sql, dialect="duckdb")
    if first.token_type is not TokenType.WITH:
        return f"{sql[: first.start]}with\n{text}\n\n{sql[first.start :]}"
    last = others[0] if others and others[0].token_type is TokenType.RECURSIVE else first
    return f"{sql[: last.end + 1]}\n{text},\n{sql[last.end + 1 :]}"
