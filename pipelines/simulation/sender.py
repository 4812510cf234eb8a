"""Sends calls over HTTP: many sessions at once, each session's calls in order and one at a time."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final

import aiohttp
import orjson

from pipelines.simulation.tally import NO_ANSWER
from pipelines.simulation.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import TextIO

    from yarl import URL

    from pipelines.simulation.calls import Call
    from pipelines.simulation.tally import Tally

_LOOK_AHEAD_PER_CONNECTION: Final = 64
_SERVER_ERRORS: Final = 500
_LARGE_BODY_BYTES: Final = 1024 * 1024
"""A larger body is given to aiohttp as a file, so that it is sent piece by piece."""
_TRANSIENT: Final = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)


class ReceiverAwayError(Exception):
    """Nothing answered a call, however often it was tried; the run was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How to send.

    The address may end in `/webhook`: calls then go to the path they name, beside it. `speed` is simulated
    seconds per second, 0 for as fast as answers come. A call that gets a 5xx or no answer is tried `tries`
    times in all, waiting `first_pause_seconds`, then twice as long each time, up to `longest_pause_seconds`.
    The receipt id of each 2xx is written to `receipts`, one a line.
    """

    url: URL
    api_key: str
    connections: int = 32
    speed: float = 0.0
    tries: int = 8
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 2.0
    timeout_seconds: float = 30.0
    receipts: Path | None = None

    def address(self, call: Call) -> URL:
        """Where this call goes."""
        return self.url.with_name(call.path) if self.url.name == "webhook" else self.url

    def pause(self, attempt: int) -> float:
        """Seconds to wait after this attempt (from 0)."""
        return min(self.longest_pause_seconds, self.first_pause_seconds * (1 << attempt))


async def send_calls(calls: Iterable[Call], sending: Sending, tally: Tally) -> None:
    """Send all calls, counting into `tally`.

    Raises ReceiverAwayError when a call finds nobody to answer it; what was sent until then is counted.
    Where making the calls fails, those made before are sent, then the error is raised.
    """
    started = time.perf_counter()
    try:
        with ExitStack() as files:
            receipts = None
            if sending.receipts is not None:
                sending.receipts.parent.mkdir(parents=True, exist_ok=True)
                receipts = files.enter_context(sending.receipts.open("w", encoding="utf-8"))
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=sending.connections),
                headers={"x-api-key": sending.api_key, "content-type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=sending.timeout_seconds),
            ) as http:
                await _send_all(calls, sending, _Poster(http, sending, tally, receipts))
    finally:
        tally.seconds = time.perf_counter() - started


async def _send_all(calls: Iterable[Call], sending: Sending, poster: _Poster) -> None:
    turns = Turns(sending.connections * _LOOK_AHEAD_PER_CONNECTION)

    async def work() -> None:
        while True:
            call = await turns.take()
            await poster.post(call)
            turns.done(call)

    workers = [asyncio.create_task(work()) for _ in range(sending.connections)]
    feeding = asyncio.create_task(_feed(calls, sending.speed, turns))
    tasks = [*workers, feeding]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if feeding.done():
            draining = asyncio.create_task(turns.all_done())
            tasks.append(draining)
            await asyncio.wait([*workers, draining], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _feed(calls: Iterable[Call], speed: float, turns: Turns) -> None:
    began = time.monotonic()
    first = None
    for call in calls:
        first = first or call.send_at
        if speed:
            due = began + (call.send_at - first).total_seconds() / speed
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await turns.put(call)


@dataclass(frozen=True, slots=True)
class _Poster:
    http: aiohttp.ClientSession
    sending: Sending
    tally: Tally
    receipts: TextIO | None

    async def post(self, call: Call) -> None:
        """Send one call until it has an answer below 500, or has been tried often enough."""
        url = self.sending.address(call)
        status, answer = NO_ANSWER, ""
        for attempt in range(self.sending.tries):
            if attempt:
                self.tally.retries += 1
                await asyncio.sleep(self.sending.pause(attempt - 1))
            body = BytesIO(call.body) if len(call.body) > _LARGE_BODY_BYTES else call.body
            began = time.perf_counter()
            try:
                async with self.http.post(url, data=body, headers=call.headers) as response:
                    status, answer = response.status, await response.text(errors="replace")
            except _TRANSIENT as error:
                status, answer = NO_ANSWER, str(error) or type(error).__name__
                continue
            self.tally.latencies.append(time.perf_counter() - began)
            if status < _SERVER_ERRORS:
                break
        self.tally.finish(call, status, answer)
        if status == NO_ANSWER:
            raise ReceiverAwayError(f"{url}: {answer} ({self.sending.tries} tries)")
        if 200 <= status < 300:
            self._keep_receipt(answer)

    def _keep_receipt(self, answer: str) -> None:
        try:
            receipt_id = orjson.loads(answer)["receipt_id"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self.tally.accepted_without_receipt += 1
            return
        self.tally.receipts += 1
        if self.receipts is not None:
            self.receipts.write(f"{receipt_id}\n")
