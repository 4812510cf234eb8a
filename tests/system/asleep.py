"""Starts `asleep` as a user does: a command, an environment, a data folder; imports nothing of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import duckdb

T = TypeVar("T")

ASLEEP = str(Path(sys.executable).parent / "asleep")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], T | None], seconds: float, why: str) -> T:
    """The first result that is not None; fails with `why` when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        found = what()
        if found is not None:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {why}"
        time.sleep(0.1)


@dataclass
class Installation:
    """One data folder and its settings."""

    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    api_key: str = "key-of-the-test"

    def __post_init__(self) -> None:
        self.port = free_port()
        self.dagster_port = free_port()
        self.lander_port = free_port()

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ASLEEP_")}
        inherited.pop("DAGSTER_HOME", None)
        ours = {
            "ASLEEP_DATA_DIR": str(self.data_dir),
            "ASLEEP_API_KEYS": self.api_key,
            "ASLEEP_PORT": str(self.port),
            "ASLEEP_DAGSTER_PORT": str(self.dagster_port),
            "ASLEEP_LANDER_PORT": str(self.lander_port),
        }
        return inherited | ours | self.settings

    def run(self, *arguments: str, timeout: float = 100) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        return subprocess.run(
            [ASLEEP, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a verb in a session of its own, its output in the data folder."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / f"{arguments[0]}.out").open("ab") as output:
            return subprocess.Popen(
                [ASLEEP, *arguments],
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, dict[str, str]]:
        """Call the webhook; returns status and answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/webhook",
            data=body,
            headers={"x-api-key": self.api_key, "content-type": "application/json", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the receiver that `process` is, or has started, takes calls."""

        def answer() -> bool | None:
            assert process.poll() is None, "it ended: " + self.output()
            return self.is_ready()

        wait_for(answer, 60, "the receiver is ready")

    def output(self) -> str:
        """What the started processes printed."""
        return "\n".join(path.read_text() for path in self.data_dir.glob("*.out"))

    def is_ready(self) -> bool | None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5):
            return True
        return None

    @property
    def warehouse(self) -> Path:
        return self.data_dir / "warehouse.duckdb"

    def query(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        """Ask the published warehouse, on a connection of its own."""
        with duckdb.connect(self.warehouse, read_only=True) as connection:
            return connection.execute(sql, parameters).fetchall()
