"""Child processes: started, kept alive, stopped, whatever they do."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.commands.processes import Child

PATIENCE_SECONDS = 30.0

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(grandchild.pid, flush=True)
time.sleep(600)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "child.log"


def child(code: str, log_path: Path, **options: object) -> Child:
    return Child("child", python(code), os.environ, log_path, **options)  # type: ignore[arg-type]  # a test's short way


def test_it_is_prepared_before_it_starts_and_both_write_to_its_log(log_path: Path) -> None:
    process = child("print('run', flush=True)", log_path, prepare=python("print('prepare')"))
    process.start()
    wait_until(process.has_ended)
    assert log_path.read_text().split() == ["prepare", "run"]


def test_it_starts_although_its_preparation_failed(log_path: Path) -> None:
    process = child("print('run', flush=True)", log_path, prepare=python("raise SystemExit(1)"))
    process.start()
    wait_until(process.has_ended)
    assert log_path.read_text().split() == ["run"]


def test_one_that_ended_is_started_again(log_path: Path) -> None:
    process = child("print('run', flush=True)", log_path)
    process.start()
    wait_until(process.has_ended)

    def has_run_twice() -> bool:
        process.keep_alive()
        return log_path.read_text().split() == ["run", "run"]

    wait_until(has_run_twice)
    process.stop()


def test_a_start_that_fails_is_tried_again_and_stops_nobody_else(
    log_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = child("", log_path)
    process.start()
    wait_until(process.has_ended)
    process.command = ["/no/such/program"]

    def was_told() -> bool:
        process.keep_alive()
        return "can not be started" in caplog.text

    with caplog.at_level(logging.ERROR):
        wait_until(was_told)
    process.command = python("print('run', flush=True)")

    def has_run() -> bool:
        process.keep_alive()
        return log_path.read_text().split() == ["run"]

    wait_until(has_run)


def test_one_that_was_never_started_has_no_code(log_path: Path) -> None:
    assert child("", log_path).stop() is None


def test_one_that_does_not_end_is_killed_with_all_it_has_started(log_path: Path) -> None:
    process = child(STUBBORN, log_path, stop_timeout_seconds=0.2)
    process.start()
    wait_until(lambda: log_path.exists() and log_path.read_text().endswith("\n"))
    grandchild = int(log_path.read_text())
    assert is_running(grandchild)
    assert process.stop() == -9
    wait_until(lambda: not is_running(grandchild))
