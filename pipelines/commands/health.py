"""`asleep health`: whether a process of ours is well, as an exit code."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Final

import typer

from ingest.lander import lander_is_alive
from ingest.settings import Settings

LANDER_MAX_AGE_SECONDS: Final = 60.0
TIMEOUT_SECONDS: Final = 5.0


class Part(StrEnum):
    """The processes that can be asked."""

    RECEIVER = "receiver"
    LANDER = "lander"
    DAGSTER = "dagster"


def problem(part: Part, settings: Settings) -> str | None:
    """What is wrong with it, in words; None when it is well."""
    if part is Part.LANDER:
        if lander_is_alive(settings, LANDER_MAX_AGE_SECONDS):
            return None
        return f"no sign of life in {settings.raw_dir} within {LANDER_MAX_AGE_SECONDS:.0f} s"
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104  a comparison
    if part is Part.RECEIVER:
        return _get(f"http://{host}:{settings.port}/readyz")
    return _get(f"http://{host}:{settings.dagster_port}/server_info")


def wait_until_well(
    part: Part, settings: Settings, timeout_seconds: float, give_up: Callable[[], bool]
) -> str | None:
    """Ask again and again until it is well; returns the last problem when time is up or `give_up` says so."""
    deadline = time.monotonic() + timeout_seconds
    while (found := problem(part, settings)) is not None:
        if time.monotonic() > deadline or give_up():
            return found
        time.sleep(0.1)
    return None


def health(part: Annotated[Part, typer.Argument(help="Which process to ask.")]) -> None:
    """Exit with 0 when the process is well, else say what is wrong and exit with 1.

    Example: asleep health receiver
    """
    found = problem(part, Settings())
    if found is not None:
        typer.echo(f"{part}: {found}", err=True)
        raise typer.Exit(1)
    typer.echo(f"{part}: well")


def _get(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS):  # noqa: S310  our own address
            return None
    except urllib.error.HTTPError as error:
        return f"{url} answers {error.code}: {error.read(500).decode(errors='replace')}"
    except OSError as error:
        return f"{url}: {error}"
