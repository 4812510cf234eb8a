"""The verbs that run one room: `asleep receive`, `drain`, `land`, `verify` and `build`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ingest.event_log.base import EventLogError
from ingest.lander import land as land_log
from ingest.server import serve
from ingest.settings import Settings
from ingest.spool.by_hand import drain as drain_spools
from ingest.telemetry import configure_logging
from ingest.verify import VerifyReport
from ingest.verify import verify as verify_landing

if TYPE_CHECKING:
    from pipelines.run import BuildRun


def receive(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="ASLEEP_HOST")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on.", show_default="ASLEEP_PORT")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
) -> None:
    """Run the receiver: takes webhook calls in, and answers 200 once they are durable in the event log.

    Example: ASLEEP_API_KEYS=secret asleep receive --port 8000
    """
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    serve(Settings().model_copy(update=given), workers=workers)


def drain(
    folder: Annotated[
        Path | None,
        typer.Argument(
            exists=True,
            file_okay=False,
            help="Folder of spools, or one spool.",
            show_default="ASLEEP_SPOOL_DIR",
        ),
    ] = None,
    *,
    into_this_log: Annotated[
        bool, typer.Option("--into-this-log", help="Also drain spools of another event log into this one.")
    ] = False,
) -> None:
    """Move what the spools of dead receivers hold into the event log. Exits with 1 when anything is left.

    A running receiver does this by itself for its own folder, and its own spool is left alone.

    Example: asleep drain data/spool
    """
    settings = Settings()
    configure_logging("ERROR")
    root = folder or settings.spool_path
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("")
        try:
            spools = drain_spools(
                settings,
                root,
                lambda path, done, held: progress.update(
                    bar, description=path.name, completed=done, total=held
                ),
                into_this_log=into_this_log,
            )
        except (EventLogError, OSError) as error:
            typer.echo(f"nothing drained: {error}", err=True)
            raise typer.Exit(1) from error
    for spool in spools:
        if spool.is_in_use:
            typer.echo(f"{spool.path}: left alone, a running receiver drains it")
        else:
            typer.echo(f"{spool.path}: {spool.drained:,} records drained, {spool.left:,} left")
        if spool.problem is not None:
            typer.echo(f"{spool.path}: {spool.problem}", err=True)
    if not spools:
        typer.echo(f"no spool in {root}")
    raise typer.Exit(0 if all(spool.ok for spool in spools) else 1)


def land(
    *,
    once: Annotated[bool, typer.Option("--once", help="Land what the log holds now, then end.")] = False,
) -> None:
    """Run the lander: moves records from the event log into Parquet files, every offset into exactly one.

    Example: asleep land --once
    """
    settings = Settings()
    configure_logging(settings.log_level)
    report = land_log(settings, once=once)
    typer.echo(f"landed {report.rows:,} records in {report.files:,} files, {report.bytes:,} bytes")


def verify(
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read the offsets and receipts in the files.")
    ] = False,
    receipts: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="File of receipt ids, one a line, that must be landed."
        ),
    ] = None,
) -> None:
    """Prove that everything accepted is landed, each offset exactly once. Exits with 1 unless it is.

    Example: asleep verify --deep
    """
    try:
        report = verify_landing(Settings(), deep=deep, receipts=receipts)
    except EventLogError as error:
        typer.echo(f"the event log can not be read: {error}", err=True)
        raise typer.Exit(2) from error
    show_verdict(report, Console())
    raise typer.Exit(0 if report.ok else 1)


def build(
    *,
    full: Annotated[bool, typer.Option("--full", help="Build everything anew from all raw files.")] = False,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"],
            help="The moment taken for now, as in 2026-11-23T06:00:00+0000.",
            show_default="now",
        ),
    ] = None,
) -> None:
    """Build the warehouse from new raw files and publish it; the Dagster UI shows the run.

    Example: asleep build --full
    """
    from pipelines.run import run_build  # noqa: PLC0415  Dagster takes seconds to import

    run = run_build(Settings(), full=full, as_of=as_of)
    show_build(run, Console())
    raise typer.Exit(0 if run.success else 1)


def show_build(run: BuildRun, console: Console) -> None:
    """Print what a build did, the checks that found something, and what went wrong."""
    if run.report is not None:
        report = run.report
        console.print(
            f"{'full ' if report.is_full else ''}build {report.build_id}: {report.new_files:,} new files, "
            f"{report.touched_sessions:,} sessions and {report.touched_users:,} users computed anew"
        )
        for result in report.checks:
            if not result.passed:
                name = f"{result.check.table}.{result.check.name}"
                console.print(
                    f"{result.check.severity}: {name}: {result.offending_rows:,} rows", markup=False
                )
    for problem in run.problems:
        console.print(problem, style="red", markup=False)
    if run.published is not None:
        console.print(f"published {run.published}", markup=False)


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
