"""The servers that the receiver is compared with, and how each of them is started.

`python -m tests.benchmarks.receiver_servers KIND` serves one of them until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import psutil
import uvicorn
from fastapi import Body, FastAPI, Header, HTTPException
from kafka import KafkaProducer

from ingest.event_log.base import EventLogWriter, Position
from ingest.event_log.kafka_cluster import servers
from ingest.receiver import create_app
from ingest.records import Headers, Topic
from ingest.server import serve, server_config
from ingest.settings import Settings
from ingest.worker import work
from tests.benchmarks.confluent_writer import ConfluentWriter
from tests.benchmarks.http_load import inference_requests
from tests.kafka_broker import free_port

KEY: Final = "key-of-the-benchmark"
SECRET: Final = "whsec_c2VjcmV0IG9mIHRoZSBiZW5jaG1hcmsuLi4="
PATIENCE_SECONDS: Final = 60.0
_GO_SOURCE: Final = Path(__file__).resolve().parent / "go_receiver"
_GO_BINARY: Final = Path(__file__).resolve().parents[2] / ".cache" / "go_receiver" / "receiver"

RECEIVER: Final = "receiver, Kafka"
PLAIN: Final = "plain FastAPI + kafka-python"
GO: Final = "Go net/http + franz-go"
CONFLUENT: Final = "receiver, confluent-kafka"
SQLITE: Final = "receiver, SQLite"
NOTHING: Final = "receiver, storing nothing"
KINDS: Final = {
    RECEIVER: "receiver",
    PLAIN: "plain",
    GO: "go",
    CONFLUENT: "confluent",
    SQLITE: "receiver",
    NOTHING: "nothing",
}


class GoUnavailable(Exception):
    """The Go server can not be built here; the text says why."""


@dataclass(frozen=True)
class Server:
    """One of the compared servers, running."""

    title: str
    port: int
    process: psutil.Popen

    def cpu_seconds(self) -> float:
        """Processor time that the server has used until now."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def resident_bytes(self) -> int:
        """Memory of the server's process that is in RAM now."""
        resident: int = self.process.memory_info().rss
        return resident


def build_go() -> None:
    """Compile the Go server into the repository's cache; raises GoUnavailable."""
    if shutil.which("go") is None:
        raise GoUnavailable("there is no `go` on the PATH")
    command = ["go", "build", "-o", str(_GO_BINARY), "."]
    run = subprocess.run(command, cwd=_GO_SOURCE, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise GoUnavailable(f"`go build` failed: {run.stderr[-2000:]}")


@contextmanager
def running(title: str, kafka_url: str, folder: Path) -> Iterator[Server]:
    """Start the server of this title, with its data in `folder`; it serves once this is entered."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ASLEEP_")},
        "ASLEEP_API_KEYS": KEY,
        "ASLEEP_SIGNATURES": "required",
        "ASLEEP_SIGNING_SECRETS": SECRET,
        "ASLEEP_RATE_LIMIT_PER_KEY": "1000000/second",
        "ASLEEP_RATE_LIMIT_PER_ADDRESS": "1000000/second",
        "ASLEEP_DATA_DIR": str(folder),
        "ASLEEP_EVENT_LOG_URL": "" if title == SQLITE else kafka_url,
        "ASLEEP_LOG_LEVEL": "WARNING",
        "ASLEEP_PORT": str(port),
        "ADDRESS": f"127.0.0.1:{port}",
        "BROKERS": kafka_url.removeprefix("kafka://"),
        "KEY": KEY,
    }
    command = [str(_GO_BINARY)]
    if title != GO:
        command = [sys.executable, "-m", "tests.benchmarks.receiver_servers", KINDS[title]]
    process = psutil.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    server = Server(title, port, process)
    try:
        _wait_until_serving(server)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)


def _wait_until_serving(server: Server) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    head, _, body = inference_requests("/webhook", KEY, SECRET)[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    headers = dict(line.split(": ", 1) for line in lines)
    while True:
        if server.process.poll() is not None:
            raise RuntimeError(f"{server.title} ended with {server.process.returncode}")
        try:
            url = f"http://127.0.0.1:{server.port}/webhook"
            reply = httpx.post(url, content=body, headers=headers, timeout=10)
        except httpx.TransportError as error:
            answer = repr(error)
        else:
            if reply.status_code == httpx.codes.OK:
                return
            answer = reply.text
        if time.monotonic() > deadline:
            raise RuntimeError(f"{server.title} does not serve: {answer}")
        time.sleep(0.1)


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


class NoLog:
    """A writer that acknowledges at once and stores nothing."""

    def start(self) -> None:
        """Nothing to connect to."""

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> asyncio.Future[Position]:
        """An acknowledgement."""
        del key, value, headers
        acknowledged: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(Position(topic, 0, 0))
        return acknowledged

    def problem(self) -> str | None:
        """None."""
        return None

    async def close(self) -> None:
        """Nothing to let go of."""


def _serve_with(log: EventLogWriter, settings: Settings) -> None:
    config = server_config(settings, partial(create_app, settings, log))
    listener = config.bind_socket()
    listener.listen(config.backlog)
    work(config, settings, listener)


def _serve_plain(settings: Settings) -> None:
    app = plain_app(servers(settings))
    options: dict[str, Any] = {"loop": "uvloop", "http": "httptools", "access_log": False}
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", **options)


def main() -> None:
    """Serve the kind that the command line names, with the settings of the environment."""
    kind = sys.argv[1]
    settings = Settings()
    if kind == "receiver":
        serve(settings, workers=1)
    elif kind == "plain":
        _serve_plain(settings)
    else:
        _serve_with(ConfluentWriter(settings) if kind == "confluent" else NoLog(), settings)


if __name__ == "__main__":
    main()
