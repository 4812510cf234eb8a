"""`asleep health`: whether a process of ours is well, as an exit code."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

import typer

from ingest.settings import Settings

TIMEOUT_SECONDS: Final = 5.0
MAX_ANSWER_BYTES: Final = 2000


class Part(StrEnum):
    """The processes that can be asked."""

    RECEIVER = "receiver"
    LANDER = "lander"
    DAGSTER = "dagster"


class Finding(NamedTuple):
    """Whether a process is well, and how it is in words."""

    is_well: bool
    text: str


def look_at(part: Part, settings: Settings) -> Finding:
    """Ask one process; a receiver that accepts calls is well, though its answer may name a problem."""
    if part is Part.RECEIVER:
        return _get(f"{settings.receiver_scheme}://{_reached_at(settings.host)}:{settings.port}/readyz")
    if part is Part.DAGSTER:
        return _get(f"http://{_reached_at(settings.host)}:{settings.dagster_port}/server_info")
    if not settings.lander_port:
        return Finding(
            is_well=False,
            text="ASLEEP_LANDER_PORT is 0, so that only the lander's log says where it listens: name a port",
        )
    return _get(f"http://{_reached_at(settings.lander_host)}:{settings.lander_port}/readyz")


def problem(part: Part, settings: Settings) -> str | None:
    """What is wrong with it, in words; None when it is well."""
    finding = look_at(part, settings)
    return None if finding.is_well else finding.text


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
    """Say how the process is; exit with 0 when it is well or accepts calls while degraded, else with 1.

    Example: asleep health receiver
    """
    finding = look_at(part, Settings())
    typer.echo(f"{part}: {finding.text}", err=not finding.is_well)
    if not finding.is_well:
        raise typer.Exit(1)


def _reached_at(host: str) -> str:
    """What stands in an address for a host that a process of this machine listens on."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  a comparison
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _get(url: str) -> Finding:
    # The certificate is that of a public name, and we ask this machine by its address: nothing secret is
    # sent, and no answer is worth forging.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS, context=context) as reply:  # noqa: S310  our own
            return Finding(is_well=True, text=_told_by(reply.read(MAX_ANSWER_BYTES)))
    except urllib.error.HTTPError as error:
        answer = error.read(MAX_ANSWER_BYTES).decode(errors="replace")
        return Finding(is_well=False, text=f"{url} answers {error.code}: {answer}")
    except OSError as error:
        return Finding(is_well=False, text=f"{url}: {error}")
    except http.client.HTTPException as error:
        what = f"{type(error).__name__}: {error}".strip()
        return Finding(
            is_well=False,
            text=f"{url}: what listens there does not answer in HTTP, or not to the end ({what})",
        )


def _told_by(answer: bytes) -> str:
    """`well`, or what a receiver that accepts calls says is wrong all the same."""
    try:
        told = json.loads(answer)
    except ValueError:
        return "well"
    problems = told.get("problems") if isinstance(told, dict) else None
    return f"accepts calls, but is degraded: {json.dumps(problems)}" if problems else "well"
