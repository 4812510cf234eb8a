"""How the receiver stops: it says so first, serves on for a while, and cuts no call off."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import pytest

from ingest.settings import Settings
from tests.integration.http_connection import Connection, head, request
from tests.integration.receiver_process import (
    KEY,
    ReceiverProcess,
    running_receiver,
    stored_bodies,
    wait_until,
)

EVENT = b'{"event":"INFERENCE_COMPLETE","session_id":"stop"}'
AUTHENTIC = f"X-API-Key: {KEY}"
LONG = 60.0


def signalled(receiver: ReceiverProcess, number: int = signal.SIGTERM) -> None:
    """Send a signal and return once every process that serves has begun to stop."""
    serving = len(receiver.logged("Application startup complete."))
    receiver.process.send_signal(number)
    wait_until(lambda: len(receiver.logged("receiver stopping")) >= serving, "the first step of the stop")


@pytest.mark.parametrize("workers", [1, 2])
def test_it_says_that_it_is_not_ready_and_serves_on_for_the_stop_delay(tmp_path: Path, workers: int) -> None:
    settings = Settings(data_dir=tmp_path, stop_delay_seconds=2.0)
    with running_receiver(settings, workers=workers) as receiver, Connection(receiver.port) as connection:
        connection.send(request(EVENT, AUTHENTIC))
        assert connection.reply().headers.get("connection") is None
        signalled(receiver)
        assert httpx.get(f"{receiver.url}/readyz").status_code == 503
        assert httpx.get(f"{receiver.url}/healthz").status_code == 200
        connection.send(request(EVENT, AUTHENTIC))
        reply = connection.reply()
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert connection.is_closed()
        assert receiver.post(EVENT).status_code == 200
        wait_until(lambda: not receiver.alive, "the end")
        assert receiver.terminate() == 0
    assert len(stored_bodies(settings)) == 3
    assert receiver.errors == []


@pytest.mark.parametrize("workers", [1, 2])
def test_when_the_delay_is_over_callers_are_refused_while_calls_in_flight_are_finished(
    tmp_path: Path, workers: int
) -> None:
    settings = Settings(data_dir=tmp_path, stop_delay_seconds=0.2)
    with running_receiver(settings, workers=workers) as receiver, Connection(receiver.port) as connection:
        connection.send(head(AUTHENTIC, f"Content-Length: {len(EVENT)}") + EVENT[:10])
        signalled(receiver)
        wait_until(lambda: refuses(receiver), "a refused connection")
        assert receiver.alive
        connection.send(EVENT[10:])
        assert connection.reply().status == 200
        wait_until(lambda: not receiver.alive, "the end")
        assert receiver.terminate() == 0
    assert list(stored_bodies(settings).values()) == [EVENT]
    assert receiver.errors == []


def refuses(receiver: ReceiverProcess) -> bool:
    """Whether nobody listens any more."""
    try:
        receiver.connect().close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_without_calls_it_ends_well_on_either_signal(tmp_path: Path, number: int) -> None:
    with running_receiver(Settings(data_dir=tmp_path, stop_delay_seconds=0)) as receiver:
        receiver.process.send_signal(number)
        wait_until(lambda: not receiver.alive, "the end")
        assert receiver.process.returncode == 0
    assert receiver.errors == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_sigint_waits_for_nothing(tmp_path: Path, workers: int) -> None:
    settings = Settings(data_dir=tmp_path, stop_delay_seconds=LONG, body_timeout_seconds=LONG)
    with running_receiver(settings, workers=workers) as receiver, Connection(receiver.port) as connection:
        connection.send(head(AUTHENTIC, "Content-Length: 100"))
        signalled(receiver, signal.SIGINT)
        receiver.process.send_signal(signal.SIGINT)
        wait_until(lambda: not receiver.alive, "the end", seconds=LONG / 4)


def test_a_call_that_never_ends_does_not_keep_it_from_stopping(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, stop_delay_seconds=0, body_timeout_seconds=1.0)
    with running_receiver(settings) as receiver, Connection(receiver.port) as connection:
        connection.send(head(AUTHENTIC, "Content-Length: 100"))
        assert receiver.terminate() == 0
        assert connection.reply().status == 408


def test_workers_stop_when_the_process_above_them_is_killed(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, stop_delay_seconds=0)
    with running_receiver(settings, workers=2) as receiver:
        workers = {line["process"] for line in receiver.logged("Application startup complete.")}
        assert receiver.process.pid not in workers
        receiver.process.kill()
        try:
            wait_until(lambda: not any(map(_lives, workers)), "the end of the workers")
        finally:
            for pid in filter(_lives, workers):
                os.kill(pid, signal.SIGKILL)
        assert refuses(receiver)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
