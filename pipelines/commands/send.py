"""`asleep send`: simulated nights, scored nights or a file of calls, sent to the webhook over real HTTP."""

# Not `from __future__ import annotations`: typer reads these annotations when it runs.

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.console import Console
from yarl import URL

from ingest.settings import Settings
from pipelines.commands.delivery import Span, deliver, show_summary, unreachable
from pipelines.simulation.call_file import CallFileError, read_calls
from pipelines.simulation.calls import Call
from pipelines.simulation.dialects import Dialect, rotation
from pipelines.simulation.night import Night
from pipelines.simulation.nights import ScoredNightsError, read_scored_nights
from pipelines.simulation.recordings import simulated_nights
from pipelines.simulation.sender import ReceiverAwayError, Sending
from pipelines.simulation.sleepers import population, write_users_csv
from pipelines.simulation.tally import Tally
from pipelines.simulation.traffic import traffic

_INTERRUPTED: Final = 130

DialectChoice = Literal["all", "flat", "partial", "nested", "v1", "v2"]

FIRST_DAY: Final = date(2026, 10, 19)
"""Fixed, so that sending twice sends the same events.

Within two weeks DST ends in Europe, then in North America.
"""
_FIRST_EVENING: Final = datetime.combine(FIRST_DAY, time())


def send(  # noqa: PLR0913  typer makes an option of each parameter
    *,
    url: Annotated[
        str | None,
        typer.Option(help="Address of the webhook.", show_default="http://ASLEEP_HOST:ASLEEP_PORT/webhook"),
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(help="Key for x-api-key.", show_default="the first of ASLEEP_API_KEYS")
    ] = None,
    users: Annotated[int, typer.Option(min=1, help="Simulated users.")] = 40,
    days: Annotated[int, typer.Option(min=1, help="Days on which they sleep.")] = 14,
    first_day: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d"], help="The first evening.", show_default=FIRST_DAY.isoformat()),
    ] = _FIRST_EVENING,
    dialect: Annotated[
        DialectChoice, typer.Option(help="Shape of the events; all: users take turns.")
    ] = "all",
    seed: Annotated[int, typer.Option(help="Another seed gives other users, nights and disorder.")] = 1,
    nights: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of scored nights to send in place of simulated ones: *.json with night_id, stages "
            "and, as the early inference, alt_stages.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help='JSON lines {"headers": {}, "body": "..."} to send as they stand, in place of nights; '
            "a line may add path and expect (a status).",
        ),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(
            min=0, help="Simulated seconds per second: 60 is a minute a second, 0 as fast as answers come."
        ),
    ] = 0.0,
    clean: Annotated[
        bool, typer.Option("--clean", help="No retries, no disorder, no bad bodies, no wrong keys.")
    ] = False,
    no_zone_names: Annotated[
        bool,
        typer.Option("--no-zone-names", help="Offsets only, so that all dialects say the same about zones."),
    ] = False,
    connections: Annotated[int, typer.Option(min=1, help="Connections kept open.")] = 32,
    receipts: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write the receipt ids of accepted calls, one a line."),
    ] = None,
    users_file: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write the simulated users' CSV, as ASLEEP_USERS_FILE takes it."),
    ] = None,
) -> None:
    """Send sleep nights to the webhook: 5-minute windows, 40-minute revisions, final reports.

    Exits with 1 when a call got another status than the receiver's contract promises.

    Example: asleep send --users 5 --days 7
    """
    if nights and file:
        raise typer.BadParameter("choose one of --nights and --file", param_hint="--nights")
    if users_file and (nights or file):
        raise typer.BadParameter("only simulated users have a users file", param_hint="--users-file")
    settings = Settings()
    sending = Sending(
        url=_address(url, settings),
        api_key=_key(api_key, settings),
        connections=connections,
        speed=speed,
        receipts=receipts,
    )
    span = None
    if file:
        calls = read_calls(file)
    else:
        day = first_day.date()
        recorded, user_ids = (
            _scored(nights, day) if nights else _simulated(seed, users, day, days, users_file)
        )
        calls = traffic(
            recorded,
            rotation(user_ids, Dialect if dialect == "all" else [Dialect(dialect)]),
            zone_names=not no_zone_names,
            disorder_seed=None if clean else seed,
        )
        midnight = datetime.combine(day, time(), UTC)
        span = Span(midnight, midnight + timedelta(days=1 + (len(user_ids) if nights else days)))
    raise typer.Exit(_run(calls, sending, span))


def _address(url: str | None, settings: Settings) -> URL:
    if url is None:
        return URL.build(
            scheme=settings.receiver_scheme, host=settings.host, port=settings.port, path="/webhook"
        )
    address = URL(url)
    if address.scheme not in {"http", "https"} or not address.host:
        raise typer.BadParameter(f"{url} is no http(s) address", param_hint="--url")
    return address


def _key(api_key: str | None, settings: Settings) -> str:
    if api_key:
        return api_key
    if not settings.api_keys:
        raise typer.BadParameter(
            "no key: pass one, or set ASLEEP_API_KEYS as the receiver has it", param_hint="--api-key"
        )
    return settings.api_keys[0].get_secret_value()


def _scored(folder: Path, first_day: date) -> tuple[Iterable[Night], list[str]]:
    try:
        nights = read_scored_nights(folder, first_day)
    except ScoredNightsError as error:
        raise typer.BadParameter(str(error), param_hint="--nights") from error
    return nights, [night.user_id for night in nights]


def _simulated(
    seed: int, users: int, first_day: date, days: int, users_file: Path | None
) -> tuple[Iterable[Night], list[str]]:
    sleepers = population(seed, users)
    if users_file:
        write_users_csv(sleepers, users_file)
    return simulated_nights(sleepers, first_day, days), [sleeper.user_id for sleeper in sleepers]


def _run(calls: Iterable[Call], sending: Sending, span: Span | None) -> int:
    """Send, show, and return the exit status."""
    console, tally = Console(), Tally()
    problem = unreachable(sending.url)
    if problem:
        console.print(
            f"Nothing answers at {sending.url} ({problem}). Start the receiver with `asleep receive` or "
            "`asleep up`, or name another address with --url.",
            style="red",
        )
        return 1
    status = 0
    try:
        deliver(calls, sending, tally, span, console)
    except (ReceiverAwayError, CallFileError) as error:
        console.print(f"Stopped: {error}", style="red", markup=False)
        status = 1
    except KeyboardInterrupt:
        console.print("Interrupted: what was sent until now stays sent.")
        status = _INTERRUPTED
    show_summary(tally, console)
    return status or int(bool(tally.unexpected))
