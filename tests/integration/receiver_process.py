"""Starts the receiver as a process of its own, talks to it, and reads back what it stored."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from ingest.event_log import open_reader
from ingest.event_log.base import LogRecord
from ingest.records import Topic
from ingest.settings import Settings

KEY = "key-of-the-tests"
PATIENCE_SECONDS = 30.0

_PROGRAM = """
from ingest.server import serve
from ingest.settings import Settings

serve(Settings(), workers={workers})
"""


def wait_until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Return once the condition holds; fail the test, naming what was waited for, when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)


@dataclass
class ReceiverProcess:
    """One running receiver; `lines` are the events it logged so far."""

    process: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    _reader: threading.Thread | None = None

    @classmethod
    def start(cls, settings: Settings, *, workers: int = 1) -> ReceiverProcess:
        """Start a receiver on a free port and wait until it listens (it may not be ready yet)."""
        process = subprocess.Popen(
            _command(workers),
            env=_environment_of(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        receiver = cls(process)
        receiver._reader = threading.Thread(target=receiver._read_lines, daemon=True)
        receiver._reader.start()
        try:
            wait_until(lambda: receiver.listening or not receiver.alive, "the receiver")
            assert receiver.alive, receiver.lines
        except BaseException:
            receiver.kill()
            raise
        return receiver

    def _read_lines(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.lines.append(json.loads(line))
            except json.JSONDecodeError:
                self.lines.append({"message": "not JSON", "text": line})

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def listening(self) -> bool:
        return bool(self.logged("receiver listening"))

    @property
    def port(self) -> int:
        return int(self.logged("receiver listening")[0]["port"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def logged(self, message: str) -> list[dict[str, Any]]:
        """The logged events with this message."""
        return [line for line in list(self.lines) if line["message"] == message]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """What was logged as an error, and every line that is no JSON."""
        return [line for line in list(self.lines) if line.get("level", "ERROR") in {"ERROR", "CRITICAL"}]

    def ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def wait_until_ready(self) -> None:
        """Return once calls are accepted."""
        wait_until(lambda: self.ready() or not self.alive, "a ready receiver")
        assert self.alive, self.lines

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """One authentic call on a connection of its own."""
        return httpx.post(
            f"{self.url}/webhook", content=body, headers={"x-api-key": KEY, **(headers or {})}, timeout=30
        )

    def connect(self) -> socket.socket:
        """A bare connection to the receiver."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def terminate(self) -> int:
        """Send SIGTERM, wait for the end, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def kill(self) -> None:
        """Die at once: kill -9."""
        self.process.kill()
        self._wait()

    def _wait(self) -> int:
        status = self.process.wait(timeout=PATIENCE_SECONDS)
        if self._reader is not None:
            self._reader.join(timeout=PATIENCE_SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status


def run_to_its_end(settings: Settings) -> subprocess.CompletedProcess[str]:
    """Run a receiver that can not start, and return how it ended."""
    return subprocess.run(
        _command(workers=1),
        env=_environment_of(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


@contextmanager
def running_receiver(settings: Settings, *, workers: int = 1) -> Iterator[ReceiverProcess]:
    """A ready receiver, terminated at the end whatever happened."""
    receiver = ReceiverProcess.start(settings, workers=workers)
    try:
        receiver.wait_until_ready()
        yield receiver
    finally:
        receiver.terminate()


def _command(workers: int) -> list[str]:
    return [sys.executable, "-c", _PROGRAM.format(workers=workers)]


def _environment_of(settings: Settings) -> dict[str, str]:
    """The environment of a receiver with these settings; a key and a free port unless they are given."""
    every = settings.environment()
    given = {name: every[name] for name in (f"ASLEEP_{field.upper()}" for field in settings.model_fields_set)}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ASLEEP_")}
    return {**inherited, "ASLEEP_API_KEYS": KEY, "ASLEEP_PORT": "0", **given}


def stored(settings: Settings, topic: Topic) -> list[LogRecord]:
    """Every record of a topic, read through the event log's own reader."""
    reader = open_reader(settings, [topic], "receiver-tests", lambda _: None, lambda _: None)
    try:
        partitions = reader.partitions([topic])
        ends = reader.end_offsets(partitions)
        wanted = sum(ends.values()) - sum(reader.first_offsets(partitions).values())
        records: list[LogRecord] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(records) < wanted:
            assert time.monotonic() < deadline, f"{len(records)} of {wanted} records came back"
            for batch in reader.poll(0.2, 10_000).values():
                records.extend(batch)
        return records
    finally:
        reader.close()


def stored_bodies(settings: Settings) -> dict[str, bytes]:
    """Body by receipt id of every accepted event; fails when one receipt is there with two bodies."""
    bodies: dict[str, bytes] = {}
    for record in stored(settings, Topic.EVENTS):
        receipt_id = dict(record.headers)["receipt_id"].decode()
        body = record.value or b""
        assert bodies.setdefault(receipt_id, body) == body, f"{receipt_id} is in the log with two bodies"
    return bodies
