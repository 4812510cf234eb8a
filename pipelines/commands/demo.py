"""`asleep demo`: simulated nights through the real pipeline, then the tables to look at first."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from yarl import URL

from ingest.lander import land
from ingest.settings import Settings
from ingest.telemetry import configure_logging
from ingest.verify import verify
from pipelines.commands.delivery import Span, deliver, show_summary
from pipelines.commands.health import Part, wait_until_well
from pipelines.commands.processes import Child, asleep_command
from pipelines.commands.raw_files import show_verdict
from pipelines.commands.run import show_build
from pipelines.commands.send import FIRST_DAY
from pipelines.simulation.calls import Call
from pipelines.simulation.dialects import Dialect, rotation
from pipelines.simulation.recordings import simulated_nights
from pipelines.simulation.sender import Sending
from pipelines.simulation.sleepers import population, write_users_csv
from pipelines.simulation.tally import Tally
from pipelines.simulation.traffic import traffic

SEED = 1
START_TIMEOUT_SECONDS = 60.0


def demo(
    *,
    users: Annotated[int, typer.Option(min=1, help="Simulated users.")] = 40,
    days: Annotated[int, typer.Option(min=1, help="Days on which they sleep.")] = 14,
) -> None:
    """Send simulated nights through the real receiver, log and lander, build the warehouse, and look at it.

    Uses the data folder and the event log of the settings, and a key of its own. Twice is fine: the same
    nights are then duplicates, and no night changes.

    Example: asleep demo --users 5 --days 7
    """
    console = Console()
    settings = Settings().model_copy(
        update={"port": _free_port(), "lander_port": 0, "land_max_age_seconds": 2.0}
    )
    key = secrets.token_urlsafe(16)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    configure_logging("ERROR")
    _write_users(settings, users, console)
    receipts = settings.data_dir / "demo_receipts.txt"
    began = time.monotonic()
    tally = Tally()
    midnight = datetime.combine(FIRST_DAY, clock(), UTC)
    url = URL.build(scheme=settings.receiver_scheme, host=settings.host, port=settings.port, path="/webhook")
    with _receiver_and_lander(settings, key, console):
        deliver(
            _calls(users, days),
            Sending(url=url, api_key=key, receipts=receipts),
            tally,
            Span(midnight, midnight + timedelta(days=1 + days)),
            console,
        )
    show_summary(tally, console)
    land(settings, once=True)
    console.rule("Is everything landed, exactly once?")
    report = verify(settings, receipts=receipts)
    show_verdict(report, console)
    console.rule("Build, run by Dagster")
    from pipelines.run import run_build  # noqa: PLC0415  Dagster takes seconds to import

    built = run_build(settings, full=False, as_of=None)
    show_build(built, console)
    if not built.success:
        raise typer.Exit(1)
    show_examples(settings.published_path, console)
    console.rule(f"All of it took {time.monotonic() - began:.0f} s")
    _say_what_next(settings, console)
    raise typer.Exit(0 if report.ok and not tally.unexpected else 1)


def show_examples(published: Path, console: Console) -> None:
    """Run the example queries of sql/examples on the published warehouse, and print what they give."""
    import duckdb  # noqa: PLC0415  the other verbs, the receiver's above all, have no use for it

    from pipelines.models import SQL_DIR, read_sql  # noqa: PLC0415  as above

    with duckdb.connect(published, read_only=True) as connection:
        for path in sorted((SQL_DIR / "examples").glob("*.sql")):
            query = read_sql(path)
            rows = connection.sql(query.sql)
            table = Table(*rows.columns, title=query.description, title_justify="left")
            for row in rows.fetchall():
                table.add_row(*("" if value is None else str(value) for value in row))
            console.print(table)


def _calls(users: int, days: int) -> Iterator[Call]:
    sleepers = population(SEED, users)
    return traffic(
        simulated_nights(sleepers, FIRST_DAY, days),
        rotation([sleeper.user_id for sleeper in sleepers], Dialect),
        zone_names=True,
        disorder_seed=SEED,
    )


@contextmanager
def _receiver_and_lander(settings: Settings, key: str, console: Console) -> Iterator[None]:
    """Both as processes of their own, the receiver proved ready; stopped at the end, the receiver first."""
    environment = settings.environment() | {"ASLEEP_API_KEYS": key}
    logs = settings.data_dir / "logs"
    receiver = Child("receiver", asleep_command("receive"), environment, logs / "receiver.log")
    lander = Child("lander", asleep_command("land"), environment, logs / "lander.log")
    try:
        receiver.start()
        lander.start()
        problem = wait_until_well(Part.RECEIVER, settings, START_TIMEOUT_SECONDS, receiver.has_ended)
        if problem is not None:
            console.print(f"The receiver does not start: {problem}. See {receiver.log_path}.", style="red")
            raise typer.Exit(1)
        console.print(
            f"receiver on port {settings.port}, lander beside it, event log {settings.log_url}", markup=False
        )
        yield
    finally:
        receiver.stop()
        lander.stop()


def _write_users(settings: Settings, users: int, console: Console) -> None:
    target = settings.users_path or settings.data_dir / "users.csv"
    if target.exists():
        console.print(f"users file: {target}, as it is", markup=False)
    else:
        write_users_csv(population(SEED, users), target)


def _say_what_next(settings: Settings, console: Console) -> None:
    path = settings.published_path
    in_python = f"import duckdb; duckdb.connect('{path}', read_only=True).sql('from sessions').show()"
    for line in (
        f"The warehouse:  {path}",
        f"Open it:        duckdb -readonly {path}",
        f'          or:   python -c "{in_python}"',
        "See the runs:   asleep up, then the Dagster UI at its address",
        f"Start afresh:   rm -r {settings.data_dir}",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
