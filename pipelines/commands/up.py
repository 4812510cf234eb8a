"""`asleep up`: receiver, lander, Dagster UI and daemon on one machine, for good."""

from __future__ import annotations

import fcntl
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from ingest.lander_pages import check_pages
from ingest.server import SHUTDOWN_GRACE_SECONDS, check_receiver
from ingest.settings import Settings, WrongSetting
from ingest.supervisor import CLOSE_SECONDS
from pipelines.commands.processes import Child, asleep_command, script_command
from pipelines.instance import dagster_home

CODE_LOCATION = ("-m", "pipelines.definitions")
BUILD_TIMEOUT_SECONDS = 600.0
"""How long a stop waits for a build in progress."""
_MARGIN_SECONDS = 5.0


def children(settings: Settings, workers: int) -> list[Child]:
    """The processes of one machine, in the order in which they start, and stop."""
    environment = {"DAGSTER_HOME": str(dagster_home(settings))} | settings.environment()
    logs = settings.data_dir / "logs"
    port = str(settings.dagster_port)
    given = ["--workers", str(workers)]
    return [
        Child(
            "receiver",
            asleep_command("receive", *given),
            environment,
            logs / "receiver.log",
            stop_timeout_seconds=_stop_seconds(settings),
        ),
        Child("lander", asleep_command("land"), environment, logs / "lander.log"),
        Child(
            "dagster daemon",
            script_command("dagster-daemon", "run", *CODE_LOCATION),
            environment,
            logs / "dagster-daemon.log",
            stop_timeout_seconds=BUILD_TIMEOUT_SECONDS,
            prepare=[sys.executable, "-m", "pipelines.lost_runs"],
        ),
        Child(
            "dagster UI",
            script_command("dagster-webserver", "-h", settings.host, "-p", port, *CODE_LOCATION),
            environment,
            logs / "dagster-webserver.log",
        ),
    ]


def _stop_seconds(settings: Settings) -> float:
    """How long the receiver may take before it stops what hangs by itself, and a little longer."""
    to_answer = settings.stop_delay_seconds + SHUTDOWN_GRACE_SECONDS + settings.append_timeout_seconds
    return to_answer + CLOSE_SECONDS + _MARGIN_SECONDS


def run_until_asked_to_stop(processes: Sequence[Child], console: Console) -> None:
    """Keep the processes alive until a signal asks to stop, then stop them in order, the receiver first.

    SIGINT and SIGTERM ask, and SIGHUP, which a terminal sends when it is closed.

    The order loses nothing: the receiver answers what it has accepted, the lander then lands and commits, and
    the event log keeps what is not landed yet for the next start.
    """
    asked = threading.Event()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        asked.set()

    previous = {
        number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        for process in processes:
            process.start()
        while not asked.wait(0.5):
            for process in processes:
                process.keep_alive()
    finally:
        for process in processes:
            code = process.stop()
            in_order = code in {None, 0, -signal.SIGTERM}
            console.print(f"stopped {process.name}" + ("" if in_order else f", exit code {code}"))
        for number, handler in previous.items():
            signal.signal(number, handler)


def up(*, workers: Annotated[int, typer.Option(min=1, help="Worker processes of the receiver.")] = 1) -> None:
    """Run everything on this machine: receiver, lander, Dagster UI and daemon. Ctrl-C stops all in order.

    Example: ASLEEP_API_KEYS=secret asleep up
    """
    settings = Settings()
    console = Console()
    check_receiver(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with _alone_on(settings):
        check_pages(settings)
        _say_where(settings, console)
        run_until_asked_to_stop(children(settings, workers), console)


def _say_where(settings: Settings, console: Console) -> None:
    console.print(f"webhook     {settings.receiver_scheme}://{settings.host}:{settings.port}/webhook")
    if settings.lander_port:
        console.print(f"lander      http://{settings.lander_host}:{settings.lander_port}/readyz")
    console.print(f"Dagster UI  http://{settings.host}:{settings.dagster_port}")
    console.print(f"warehouse   {settings.published_path}")
    console.print(f"logs        {settings.data_dir / 'logs'}")
    console.print("Ctrl-C stops everything and loses nothing.")


@contextmanager
def _alone_on(settings: Settings) -> Iterator[None]:
    """Two of these on one data folder would stand in each other's way; raises WrongSetting for the second."""
    with (settings.data_dir / "up.lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WrongSetting(
                f"ASLEEP_DATA_DIR: another `asleep up` runs on {settings.data_dir}: stop it, or name another"
            ) from None
        yield
