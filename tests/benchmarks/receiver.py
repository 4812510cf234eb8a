"""Compares the receiver with the plainest FastAPI + kafka-python endpoint, on one real broker in one run.

`python -m tests.benchmarks.receiver [--connections 64] [--seconds 5] [--rounds 3]`

The rounds of the servers are interleaved and their medians compared, so that a slow moment of the machine
falls on all of them. Server, broker and load generator share the machine: ratios mean more than numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import httpx
import uvicorn
from fastapi import Body, FastAPI, Header, HTTPException
from kafka import KafkaProducer
from rich.console import Console
from rich.table import Table
from starlette.types import ASGIApp

from ingest.event_log.base import Position
from ingest.receiver import create_app, serve, server_config
from ingest.records import Headers, Topic
from ingest.settings import Settings
from tests.benchmarks.http_load import BODY_BYTES, LoadReport
from tests.kafka_broker import free_port, running_broker

KEY = "key-of-the-benchmark"
RECEIVER = "receiver, Kafka"
PLAIN = "plain FastAPI + kafka-python"
TARGET_RATIO = 1.5
PATIENCE_SECONDS = 60.0


def plain_app(brokers: list[str]) -> FastAPI:
    """What one writes first: FastAPI parses the JSON, kafka-python sends it, one wake-up for each record."""
    app = FastAPI()
    producer = KafkaProducer(bootstrap_servers=brokers, acks="all")

    @app.post("/webhook")
    async def webhook(
        event: Annotated[dict[str, Any], Body()], x_api_key: Annotated[str, Header()]
    ) -> dict[str, str]:
        if x_api_key != KEY:
            raise HTTPException(401)
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[object] = loop.create_future()
        sent = producer.send(
            Topic.EVENTS.value, key=event["session_id"].encode(), value=json.dumps(event).encode()
        )
        sent.add_callback(lambda metadata: loop.call_soon_threadsafe(stored.set_result, metadata))
        sent.add_errback(lambda error: loop.call_soon_threadsafe(stored.set_exception, error))
        await stored
        return {"status": "received"}

    return app


class _NoLog:
    """A writer that acknowledges at once and stores nothing."""

    def start(self) -> None:
        return

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> asyncio.Future[Position]:
        del key, value, headers
        acknowledged: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(Position(topic, 0, 0))
        return acknowledged

    def problem(self) -> str | None:
        return None

    async def close(self) -> None:
        return


def _serve_one(kind: str, settings: Settings) -> None:
    """Serve one of the compared applications until SIGTERM; runs in a process of its own."""
    apps: dict[str, Callable[[], ASGIApp]] = {
        "plain": lambda: plain_app(settings.log_url.removeprefix("kafka://").split(",")),
        "nothing": partial(create_app, settings, _NoLog()),
    }
    if kind == "receiver":
        serve(settings, workers=1)
    else:
        uvicorn.Server(server_config(settings, apps[kind])).run()


@dataclass(frozen=True)
class _Server:
    """One of the compared servers, running."""

    title: str
    port: int
    process: subprocess.Popen[bytes]


@contextmanager
def _running(title: str, kind: str, event_log_url: str, folder: Path) -> Iterator[_Server]:
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ASLEEP_")},
        "ASLEEP_API_KEYS": KEY,
        "ASLEEP_DATA_DIR": str(folder),
        "ASLEEP_EVENT_LOG_URL": event_log_url,
        "ASLEEP_LOG_LEVEL": "WARNING",
        "ASLEEP_PORT": str(port),
    }
    command = [sys.executable, "-m", "tests.benchmarks.receiver", "--serve", kind]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    try:
        yield _Server(title, port, process)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)


def _measure(server: _Server, connections: int, seconds: float, warm_up: float) -> LoadReport:
    command = [sys.executable, "-m", "tests.benchmarks.http_load", "--port", str(server.port), "--key", KEY]
    command += ["--connections", str(connections), "--seconds", str(seconds), "--warm-up", str(warm_up)]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=seconds + PATIENCE_SECONDS)
    report = LoadReport(**json.loads(run.stdout))
    if set(report.statuses) != {"200"}:
        raise RuntimeError(f"{server.title} answered {report.statuses}")
    return report


def _wait_until_serving(server: _Server) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        if server.process.poll() is not None:
            raise RuntimeError(f"{server.title} ended with {server.process.returncode}")
        try:
            reply = httpx.post(
                f"http://127.0.0.1:{server.port}/webhook",
                json={"session_id": "first"},
                headers={"x-api-key": KEY},
                timeout=10,
            )
        except httpx.TransportError as error:
            answer = repr(error)
        else:
            if reply.status_code == 200:
                return
            answer = reply.text
        if time.monotonic() > deadline:
            raise RuntimeError(f"{server.title} does not serve: {answer}")
        time.sleep(0.1)


def _compare(connections: int, seconds: float, rounds: int) -> dict[str, list[LoadReport]]:
    """Start everything, load the servers in turns, and return the reports of each by its title."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="asleep-benchmark-")))
        broker = stack.enter_context(running_broker(folder / "kafka"))
        wanted = [
            (RECEIVER, "receiver", broker.url),
            (PLAIN, "plain", broker.url),
            ("receiver, SQLite", "receiver", ""),
            ("receiver, storing nothing", "nothing", ""),
        ]
        servers = []
        for title, kind, url in wanted:
            server = stack.enter_context(_running(title, kind, url, folder / kind))
            _wait_until_serving(server)
            servers.append(server)
        reports: dict[str, list[LoadReport]] = {server.title: [] for server in servers}
        for number in range(rounds):
            for server in servers:
                warm_up = 3.0 if number == 0 else 0.5
                reports[server.title].append(_measure(server, connections, seconds, warm_up))
        return reports


def _print(reports: dict[str, list[LoadReport]], connections: int) -> float:
    """Print the medians, and return the receiver's requests per second over the plain endpoint's."""

    def median(title: str, field: str) -> float:
        return float(statistics.median(getattr(report, field) for report in reports[title]))

    plain = median(PLAIN, "requests_per_second")
    table = Table(title=f"{connections} connections, bodies of {BODY_BYTES} bytes, medians of the rounds")
    for column in ("", "requests/s", "p50 ms", "p99 ms", "of plain"):
        table.add_column(column, justify="right" if column else "left")
    for title in reports:
        rate = median(title, "requests_per_second")
        p50, p99 = median(title, "p50_ms"), median(title, "p99_ms")
        table.add_row(title, f"{rate:,.0f}", f"{p50:.1f}", f"{p99:.1f}", f"{rate / plain:.2f}")
    Console().print(table)
    return median(RECEIVER, "requests_per_second") / plain


def main() -> None:
    """Run the comparison; exit 1 when the receiver misses TARGET_RATIO."""
    parser = argparse.ArgumentParser(description="Compare the receiver with a plain Kafka endpoint.")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0, help="measured time of one server in one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=["plain", "receiver", "nothing"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        _serve_one(given.serve, Settings())
        return
    ratio = _print(_compare(given.connections, given.seconds, given.rounds), given.connections)
    if given.connections == 64 and ratio < TARGET_RATIO:
        sys.exit(f"the receiver does {ratio:.2f} of the plain endpoint; the target is {TARGET_RATIO}")


if __name__ == "__main__":
    main()
