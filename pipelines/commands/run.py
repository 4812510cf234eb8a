"""The verbs that run one room: `asleep receive`, `drain`, `land` and `build`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ingest.event_log.base import EventLogError
from ingest.lander import land as land_log
from ingest.server import serve
from ingest.settings import Settings
from ingest.spool.by_hand import drain as drain_spools
from ingest.telemetry import configure_logging

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

    Until it is stopped it serves /metrics, /healthz and /readyz at ASLEEP_LANDER_HOST and ASLEEP_LANDER_PORT.

    Example: asleep land --once
    """
    settings = Settings()
    configure_logging(settings.log_level)
    report = land_log(settings, once=once)
    typer.echo(f"landed {report.rows:,} records in {report.files:,} files, {report.bytes:,} bytes")


def build(
    *,
    full: Annotated[bool, typer.Option("--full", help="Build everything anew from all raw files.")] = False,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="With --full: also where that forgets what has no raw file any more."),
    ] = False,
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

    run = run_build(Settings(), full=full, forget=forget, as_of=as_of)
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
