"""Delivers calls before a person's eyes: a progress bar while it runs, a table when it is over."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipelines.simulation.calls import Kind
from pipelines.simulation.sender import send_calls
from pipelines.simulation.tally import NO_ANSWER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from rich.console import Console
    from yarl import URL

    from pipelines.simulation.calls import Call
    from pipelines.simulation.sender import Sending
    from pipelines.simulation.tally import Tally

_REFRESH_SECONDS: Final = 0.1
_KNOCK_SECONDS: Final = 5.0
_UNAUTHORIZED: Final = 401


class Span(NamedTuple):
    """The simulated time that a run covers."""

    begins: datetime
    ends: datetime


def unreachable(url: URL) -> str | None:
    """Why no connection to this address can be made, or None."""
    try:
        socket.create_connection((url.host or "", url.port or 0), timeout=_KNOCK_SECONDS).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def deliver(
    calls: Iterable[Call], sending: Sending, tally: Tally, span: Span | None, console: Console
) -> None:
    """Send the calls, showing progress over `span`; raises what `send_calls` and the calls raise."""
    columns = (
        SpinnerColumn(),
        BarColumn(),
        TextColumn("{task.fields[calls]:,} calls, {task.fields[unexpected]:,} unexpected"),
        TextColumn("{task.fields[until]}"),
        TimeElapsedColumn(),
    )

    async def run() -> None:
        with Progress(*columns, console=console, auto_refresh=False) as progress:
            bar = _Bar(progress, tally, span)
            watcher = asyncio.create_task(bar.keep_moving())
            try:
                await send_calls(calls, sending, tally)
            finally:
                watcher.cancel()
                await asyncio.gather(watcher, return_exceptions=True)
                bar.move()
            bar.fill()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  there is none on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


class _Bar:
    """A progress bar over simulated time; without a span (a file) it only shows that the run goes on."""

    def __init__(self, progress: Progress, tally: Tally, span: Span | None) -> None:
        self._progress, self._tally, self._span = progress, tally, span
        self._total = (span.ends - span.begins).total_seconds() if span else None
        self._task = progress.add_task("", total=self._total, calls=0, unexpected=0, until="")

    async def keep_moving(self) -> None:
        while True:
            self.move()
            await asyncio.sleep(_REFRESH_SECONDS)

    def move(self) -> None:
        until = self._tally.simulated_until if self._span else None
        self._progress.update(
            self._task,
            calls=self._tally.calls,
            unexpected=self._tally.unexpected.total(),
            completed=max(0.0, (until - self._span.begins).total_seconds()) if self._span and until else 0,
            until=f"{until:%Y-%m-%d %H:%M} simulated" if until else "",
        )
        self._progress.refresh()

    def fill(self) -> None:
        total = self._total or 1.0
        self._progress.update(self._task, total=total, completed=total)
        self._progress.refresh()


def show_summary(tally: Tally, console: Console) -> None:
    """Print what came of the calls, kind by kind, and how fast it went."""
    table = Table("calls", "as expected", "otherwise", title="Webhook calls", title_justify="left")
    for kind in Kind:
        others = {status: n for (of, status), n in sorted(tally.unexpected.items()) if of is kind}
        if kind in tally.expected or others:
            told = ", ".join(f"{n:,} x {status or 'no answer'}" for status, n in others.items())
            table.add_row(kind, f"{tally.expected[kind]:,}", f"[red]{told}[/]" if told else "")
    console.print(table)

    console.print(
        f"{tally.calls:,} calls in {tally.seconds:.1f} s, {tally.calls_per_second:,.0f} a second; "
        f"{tally.receipts:,} receipts, {tally.retries:,} retries"
    )
    if quantiles := tally.latency_quantiles():
        p50, p99, longest = (f"{1000 * seconds:.1f}" for seconds in quantiles)
        console.print(f"latency in ms: p50 {p50}, p99 {p99}, max {longest}")
    if tally.accepted_without_receipt:
        console.print(f"{tally.accepted_without_receipt:,} calls were accepted without a receipt_id")
    for example in tally.examples.values():
        console.print(example, style="red", markup=False)
    if tally.unexpected and all(status == _UNAUTHORIZED for _, status in tally.unexpected):
        console.print("The receiver does not know this key: pass one of its ASLEEP_API_KEYS as --api-key.")
    if any(status == NO_ANSWER for _, status in tally.unexpected):
        console.print("Calls without an answer may have been stored or not: send them again.")
