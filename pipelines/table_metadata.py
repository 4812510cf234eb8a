"""What Dagster shows of a table: its query before the first build, what is in it after each one."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Final

import dagster as dg
from sqlglot.errors import SqlglotError

from pipelines.hypnogram import EPOCH_SECONDS, hypnogram_svg
from pipelines.inspection import Inspection, NewestNight, Sample
from pipelines.lineage import Columns, column_lineage
from pipelines.models import Model, RebuildBy
from pipelines.warehouse import BuildReport

CATALOG: Final = "warehouse"
"""What DuckDB calls a file named warehouse.duckdb."""
LINEAGE: Final = "dagster/column_lineage"
PICTURED: Final = "stage_timelines"

_WIDE: Final = 8
_LONGEST_CELL: Final = 40
_MOST_SOURCES: Final = 4
_MARKDOWN: Final = re.compile(r"[\\`*_{}\[\]<>()#!|~&:]")

Metadata = dict[str, dg.MetadataValue]


def definition_metadata(model: Model) -> Metadata:
    """What is known of a table from its file alone."""
    metadata: Metadata = {
        "dagster/table_name": dg.MetadataValue.text(f"{CATALOG}.main.{model.name}"),
        "grain": dg.MetadataValue.text(model.grain),
        "rebuild by": dg.MetadataValue.text(_REBUILD[model.rebuild_by]),
        "sql": dg.MetadataValue.md(f"```sql\n{model.sql}\n```"),
    }
    if model.steps:
        told = [f"1. `{step.name}`: {step.description} Grain: {step.grain}." for step in model.steps]
        metadata["steps"] = dg.MetadataValue.md("\n".join(told))
    return metadata


def build_metadata(
    model: Model, report: BuildReport, inspection: Inspection, lineage: dg.MetadataValue | None
) -> Metadata:
    """What a build did to a table and what is in it now; `lineage` where that is known already."""
    found = {LINEAGE: lineage} if lineage else _lineage(model, inspection.columns)
    metadata: Metadata = {
        "dagster/column_schema": dg.MetadataValue.table_schema(
            _schema(model, inspection.columns, found.get(LINEAGE))
        ),
        "build": dg.MetadataValue.int(report.build_id),
        "computed anew": dg.MetadataValue.text(_touched(model, report)),
    }
    if model.name in report.row_counts:
        metadata["dagster/row_count"] = dg.MetadataValue.int(report.row_counts[model.name])
        metadata["seconds"] = dg.MetadataValue.float(round(report.seconds.get(model.name, 0.0), 3))
    if sample := inspection.samples.get(model.name):
        metadata["preview"] = dg.MetadataValue.md(preview(sample))
    if model.name == PICTURED and inspection.newest_night is not None:
        metadata["newest night"] = dg.MetadataValue.md(picture(inspection.newest_night))
    return metadata | found


def preview(sample: Sample) -> str:
    """A few rows as Markdown; a wide table lies on its side, one line per column."""
    if not sample.rows:
        return "no rows"
    columns = [_cell(column) for column in sample.columns]
    rows = [[_cell(value) for value in row] for row in sample.rows]
    if len(columns) <= _WIDE:
        return _table(columns, rows)
    heads = ["column", *(f"row {number}" for number in range(1, len(rows) + 1))]
    return _table(heads, [list(line) for line in zip(columns, *rows, strict=True)])


def picture(night: NewestNight) -> str:
    """The night's hypnogram as Markdown that carries its own picture."""
    svg = base64.b64encode(hypnogram_svg(night.stages, night.started_local).encode()).decode()
    hours = len(night.stages) * EPOCH_SECONDS / 3600
    title = f"night of {night.sleep_date}, {hours:.1f} h in {_cell(night.timezone)}"
    return f"Session {_cell(night.session_id)}, {title}\n\n![{title}](data:image/svg+xml;base64,{svg})"


def _schema(model: Model, columns: Columns, lineage: dg.MetadataValue | None) -> dg.TableSchema:
    """Columns with their types, and with their sources in words: only Dagster+ draws column lineage."""
    found = lineage.value if lineage else None
    deps = found.deps_by_column if isinstance(found, dg.TableColumnLineage) else {}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name, sql_type, description=_meaning(model.columns.get(name), deps.get(name, ())))
            for name, sql_type in columns[model.name].items()
        ]
    )


def _meaning(description: str | None, sources: Sequence[dg.TableColumnDep]) -> str | None:
    names = [f"{source.asset_key.to_user_string()}.{source.column_name}" for source in sources]
    if len(names) > _MOST_SOURCES:
        names[_MOST_SOURCES:] = [f"{len(names) - _MOST_SOURCES} more"]
    told = [description, f"[from {', '.join(names)}]" if names else None]
    return " ".join(filter(None, told)) or None


def _lineage(model: Model, columns: Columns) -> Metadata:
    try:
        found = column_lineage(model, columns)
    except SqlglotError as error:
        return {"column lineage": dg.MetadataValue.text(f"not found: {error}")}
    deps = {
        column: [dg.TableColumnDep(dg.AssetKey(table), name) for table, name in sources]
        for column, sources in found.items()
    }
    return {LINEAGE: dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps))}


def _touched(model: Model, report: BuildReport) -> str:
    if report.is_full:
        return "everything"
    return {
        RebuildBy.FILE: f"rows of {report.new_files:,} new files",
        RebuildBy.SESSION: f"{report.touched_sessions:,} sessions",
        RebuildBy.WEEK: f"{report.touched_weeks:,} weeks of users",
        RebuildBy.CALENDAR_WEEK: "weeks with new events, and all time",
        RebuildBy.USER: f"everything of {report.touched_users:,} users",
        RebuildBy.ALL: "everything",
        RebuildBy.VIEW: "nothing: it is a view",
    }[model.rebuild_by]


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    """A value on one line, cut to a readable length, with nothing that Markdown would act upon."""
    if value is None:
        return ""
    text = " ".join(str(value)[: 4 * _LONGEST_CELL].split())
    if len(text) > _LONGEST_CELL:
        text = text[: _LONGEST_CELL - 1] + "…"
    return _MARKDOWN.sub(r"\\\g<0>", text)


_REBUILD: Final = {
    RebuildBy.FILE: "rows are added for each new raw file, and never change",
    RebuildBy.SESSION: "rows of sessions with new events are computed anew",
    RebuildBy.WEEK: "rows of users' weeks with new events, and of the three after, are computed anew",
    RebuildBy.CALENDAR_WEEK: "rows of weeks with new events, and of all time, are computed anew",
    RebuildBy.USER: "rows of users with new events are computed anew",
    RebuildBy.ALL: "the whole table, at each build",
    RebuildBy.VIEW: "nothing: it is a view",
}
