"""The verbs that look after landed files: `asleep verify`, `compact` and `retire`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ingest.compaction import CompactionReport
from ingest.compaction import compact as compact_files
from ingest.event_log.base import EventLogError
from ingest.settings import Settings
from ingest.telemetry import configure_logging
from ingest.verdict import VerifyReport, untold
from ingest.verify import verify as verify_landing

_FAULTS, _UNTOLD = 1, 2


def verify(
    *,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Also read the offsets and receipts in the files, and compare doubled rows."
        ),
    ] = False,
    receipts: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="File of receipt ids, one a line, that must be landed."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON, for programs.")] = False,
) -> None:
    """Prove that everything accepted is landed, each offset exactly once.

    Exits with 0 if it is, with 1 if not, and with 2 where that can not be told: the event log is away, or the
    landed files are.

    Example: asleep verify --deep
    """
    try:
        report = verify_landing(Settings(), deep=deep, receipts=receipts)
    except EventLogError as error:
        raise _not_told(f"the event log can not be read: {error}", as_json=as_json) from error
    except OSError as error:
        raise _not_told(f"the landed files can not be read: {error}", as_json=as_json) from error
    if as_json:
        typer.echo(report.json())
    else:
        show_verdict(report, Console())
    raise typer.Exit(0 if report.ok else _FAULTS)


def _not_told(why: str, *, as_json: bool) -> typer.Exit:
    if as_json:
        typer.echo(untold(why))
    typer.echo(why, err=True)
    return typer.Exit(_UNTOLD)


def compact() -> None:
    """Join small landed files of hours and days that are over into large ones; what is landed stays the same.

    It may run beside landers, waits for a build to end, and may be stopped at any moment: the next goes on.

    Exits with 0 when all is done, with 1 where a file had to be left alone, and with 2 where the files can
    not be reached, or the disk is full.

    Example: asleep compact
    """
    from pipelines.database import build_lock  # noqa: PLC0415  DuckDB takes a while to import

    settings = Settings()
    configure_logging("CRITICAL")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("waiting for a build to end")
        try:
            with build_lock(settings):
                report = compact_files(
                    settings,
                    progress=lambda what, done, total: progress.update(
                        bar, description=what, completed=done, total=total
                    ),
                )
        except OSError as error:
            typer.echo(f"compaction stopped: {error}; what is landed is as it was", err=True)
            raise typer.Exit(_UNTOLD) from error
    show_compaction(report)
    raise typer.Exit(0 if report.ok else _FAULTS)


def retire() -> None:
    """Remove landed files that are older than ASLEEP_KEEP_EVENTS_DAYS or ASLEEP_KEEP_ATTEMPTS_DAYS say.

    Only files that the published warehouse holds, and of each partition only from the beginning on.

    Exits with 0 when all that is old is gone, with 1 where something is not loaded yet, and with 2 where the
    files can not be reached.

    Example: ASLEEP_KEEP_EVENTS_DAYS=400 asleep retire
    """
    from pipelines.database import build_lock  # noqa: PLC0415  DuckDB takes a while to import
    from pipelines.retention import retire_loaded  # noqa: PLC0415  DuckDB takes a while to import

    settings = Settings()
    configure_logging("CRITICAL")
    if settings.keep_events_days is None and settings.keep_attempts_days is None:
        typer.echo("everything is kept: neither ASLEEP_KEEP_EVENTS_DAYS nor ASLEEP_KEEP_ATTEMPTS_DAYS is set")
        return
    try:
        with build_lock(settings):
            report = retire_loaded(settings)
    except OSError as error:
        typer.echo(f"retention stopped: {error}; run it again once that is mended", err=True)
        raise typer.Exit(_UNTOLD) from error
    for topic, files in report.removed.items():
        typer.echo(f"{topic}: {files:,} files removed")
    for waiting in report.waiting:
        typer.echo(waiting, err=True)
    raise typer.Exit(_FAULTS if report.waiting else 0)


def show_compaction(report: CompactionReport) -> None:
    """Print what a compaction did, and what it left alone."""
    typer.echo(
        f"{report.files_before:,} files before, {report.files_after:,} now: {report.joined:,} with"
        f" {report.bytes_before:,} bytes and {report.rows:,} rows were joined into {report.made:,} with"
        f" {report.bytes_after:,} bytes"
    )
    for problem in report.left_alone:
        typer.echo(f"left alone: {problem}", err=True)


def show_verdict(report: VerifyReport, console: Console) -> None:
    """Print what verify found: a line a partition, then the problems in words."""
    table = Table("topic[partition]", "landed", "files", "rows", "lost", "missing", "twice", "not yet landed")
    for part in report.partitions:
        if part.files or part.problems:
            span = "" if part.first_landed is None else f"{part.first_landed}..{part.last_landed}"
            counts = (part.files, part.rows, part.lost, part.missing, part.twice, part.not_yet_landed)
            table.add_row(
                f"{part.source.topic}[{part.source.partition}]", span, *(f"{number:,}" for number in counts)
            )
    console.print(table)
    if report.receipts is not None:
        console.print(
            f"{report.receipts.different:,} receipts, {report.receipts.repeated_rows:,} rows that repeat one"
        )
    if report.asked_receipts is not None:
        found = report.asked_receipts
        console.print(f"{found.asked - len(found.missing):,} of {found.asked:,} asked receipts are landed")
    for note in report.notes:
        console.print(f"note: {note}", markup=False)
    for problem in report.problems:
        console.print(problem, style="red", markup=False)
    console.print("[green]accepted = landed, each exactly once[/]" if report.ok else "[red]not proved[/]")
