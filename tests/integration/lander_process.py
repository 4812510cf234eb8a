"""Starts the lander as a process of its own, and fills the log it lands."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

from ingest.event_log import open_writer
from ingest.event_log.base import AppendFailed
from ingest.landed_files import landed_files
from ingest.raw_store import open_store
from ingest.records import Header, Headers, Receipt, Topic, partition_key
from ingest.settings import Settings
from ingest.verify import VerifyReport, verify

PATIENCE_SECONDS = 60.0

_PROGRAM = """
import resource
import sys
from ingest.lander import land
from ingest.settings import Settings
from ingest.telemetry import configure_logging

configure_logging("INFO")
for option in sys.argv:
    if option.startswith("--largest-file="):
        size = int(option.partition("=")[2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
report = land(Settings(), once="--once" in sys.argv)
print(report.rows)
"""


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Return once the condition holds; fail the test, naming what was waited for, when it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s for {what}"
        time.sleep(0.01)


class LanderProcess:
    """A lander on the settings given, as `asleep land` runs it; its log lines are kept in a file."""

    PROGRAM: tuple[str, ...] = ("-c", _PROGRAM)

    def __init__(self, settings: Settings, *options: str) -> None:
        self._lines_path = settings.data_dir / f"lander-{time.time_ns()}.log"
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        values = {"lander_port": 0} | settings.model_dump(mode="json", exclude_defaults=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ASLEEP_")}
        with self._lines_path.open("wb") as lines:
            self._process = subprocess.Popen(
                [sys.executable, *self.PROGRAM, *options],
                env={**inherited, **{f"ASLEEP_{name.upper()}": str(value) for name, value in values.items()}},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=lines,
            )

    def logged(self, message: str) -> list[dict[str, Any]]:
        """The logged events with this message."""
        lines = self._lines_path.read_text(encoding="utf-8").splitlines()
        return [event for event in map(json.loads, lines) if event["message"] == message]

    def get(self, page: str) -> tuple[int, str]:
        """Status and text of one of its pages, as soon as it listens."""
        wait_until(lambda: self.logged("lander listening"), "the lander to listen")
        connection = HTTPConnection("127.0.0.1", self.logged("lander listening")[0]["port"], timeout=10)
        with closing(connection):
            connection.request("GET", page)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()

    def wait(self) -> int:
        """Wait for the end, and return the exit status."""
        return self._process.wait(timeout=PATIENCE_SECONDS)

    def terminate(self) -> int:
        """Send SIGTERM, wait for the end, and return the exit status."""
        self._process.terminate()
        return self.wait()

    def pause(self) -> None:
        """Stand still, as a machine that swaps does, until `resume`."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Die at once: kill -9."""
        self._process.kill()
        self.wait()


@contextmanager
def running_lander(settings: Settings, *options: str) -> Iterator[LanderProcess]:
    """A lander for good, killed at the end if it still runs."""
    lander = LanderProcess(settings, *options)
    try:
        yield lander
    finally:
        lander.kill()


class Writer(threading.Thread):
    """Appends events to the log until it is told to stop; `receipts` are those acknowledged."""

    def __init__(self, settings: Settings, pause_seconds: float = 0.005) -> None:
        super().__init__(daemon=True)
        self.receipts: list[str] = []
        self.unclear = 0
        self._settings = settings
        self._pause_seconds = pause_seconds
        self._told_to_stop = threading.Event()

    def run(self) -> None:
        asyncio.run(self._append_all())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait for the last acknowledgement."""
        self._told_to_stop.set()
        self.join(timeout=PATIENCE_SECONDS)
        assert not self.is_alive()

    async def _append_all(self) -> None:
        writer = open_writer(self._settings)
        writer.start()
        try:
            number = 0
            while not self._told_to_stop.is_set():
                await self._append(writer.append, range(number, number + 5))
                number += 5
                await asyncio.sleep(self._pause_seconds)
        finally:
            await writer.close()

    async def _append(self, append: Callable[..., asyncio.Future[Any]], numbers: range) -> None:
        receipts = [Receipt.now() for _ in numbers]
        appends = [append(*event(number, receipt)) for number, receipt in zip(numbers, receipts, strict=True)]
        results = await asyncio.gather(*appends, return_exceptions=True)
        for receipt, result in zip(receipts, results, strict=True):
            if isinstance(result, AppendFailed):
                self.unclear += 1
            elif isinstance(result, BaseException):
                raise result
            else:
                self.receipts.append(receipt.receipt_id)


def event(number: int, receipt: Receipt) -> tuple[str, bytes, bytes, Headers]:
    """Topic, key, value and headers of an event, as the receiver appends it; every tenth is an attempt."""
    topic = Topic.ATTEMPTS if number % 10 == 0 else Topic.EVENTS
    headers = [
        (Header.RECEIPT_ID.value, receipt.receipt_id.encode()),
        (Header.RECEIVED_AT.value, str(receipt.received_at_us).encode()),
    ]
    return topic.value, partition_key("user", str(number % 50)), b'{"number":%d}' % number, headers


def append_events(settings: Settings, count: int, body: Callable[[], bytes] = lambda: b"{}") -> list[str]:
    """Append so many events, and return their receipts."""

    async def append_all() -> list[str]:
        writer = open_writer(settings)
        writer.start()
        try:
            receipts = [Receipt.now() for _ in range(count)]
            appends = []
            for number, receipt in enumerate(receipts):
                topic, key, _, headers = event(number, receipt)
                appends.append(writer.append(topic, key, body(), headers))
            await asyncio.gather(*appends)
        finally:
            await writer.close()
        return [receipt.receipt_id for receipt in receipts]

    return asyncio.run(append_all())


def number_of_files(settings: Settings) -> int:
    """How many files are landed."""
    return sum(len(landed_files(open_store(settings), topic)) for topic in Topic)


def assert_each_landed_once(settings: Settings, receipts: Sequence[str], folder: Path) -> VerifyReport:
    """Fail unless `verify` proves every offset and finds every receipt; return what it says."""
    asked = folder / "receipts.txt"
    asked.write_text("".join(f"{receipt}\n" for receipt in receipts), encoding="utf-8")
    report = verify(settings, deep=True, receipts=asked)
    assert report.problems == (), report.problems
    assert report.asked_receipts is not None
    assert report.asked_receipts.asked == len(receipts)
    return report
