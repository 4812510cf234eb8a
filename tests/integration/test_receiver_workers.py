"""Several worker processes: a dead one is replaced while others serve; one that can not start ends all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from ingest.metrics.sharing import SHARE_SECONDS
from ingest.settings import Settings
from tests.integration.receiver_process import (
    KEY,
    ReceiverProcess,
    running_receiver,
    stored_bodies,
    wait_until,
)

EVENT = b'{"event":"INFERENCE_COMPLETE","session_id":"workers"}'


def started(receiver: ReceiverProcess) -> list[int]:
    """The ids of all workers that ever served, in the order in which they began."""
    return [int(line["process"]) for line in receiver.logged("Application startup complete.")]


def test_while_a_killed_worker_is_replaced_calls_are_served(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with running_receiver(settings, workers=2) as receiver:
        wait_until(lambda: len(started(receiver)) == 2, "two workers")
        accepted = 0
        for _ in range(2):
            count = len(started(receiver))
            os.kill(started(receiver)[-1], signal.SIGKILL)
            while len(started(receiver)) == count:
                reply = receiver.post(EVENT)
                assert reply.status_code == 200
                accepted += 1
        deaths = receiver.logged("worker died")
        assert [line["pid"] for line in deaths] == started(receiver)[1:3]
        assert {line["exit_code"] for line in deaths} == {-signal.SIGKILL}
        assert receiver.terminate() == 0
    assert accepted
    assert len(stored_bodies(settings)) == accepted


def test_when_all_workers_are_killed_callers_wait_until_they_are_back(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with running_receiver(settings, workers=2) as receiver:
        wait_until(lambda: len(started(receiver)) == 2, "two workers")
        for pid in started(receiver):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(receiver.logged("worker died")) == 2, "two deaths")
        assert receiver.post(EVENT).status_code == 200
    assert len(stored_bodies(settings)) == 1


def test_a_worker_that_can_not_start_ends_all_with_an_error(tmp_path: Path) -> None:
    program = f"""
from functools import partial
import ingest.server

ingest.server.create_app = partial(int, "no application")
ingest.server.serve(Settings(api_keys="{KEY}", port=0, data_dir={str(tmp_path)!r}), workers=2)
"""
    ended = subprocess.run(
        [sys.executable, "-c", f"from ingest.settings import Settings{program}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 3
    assert "worker did not start" in ended.stderr


def test_any_worker_shows_the_calls_of_all_and_none_of_an_earlier_run(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    for _ in range(2):
        with running_receiver(settings, workers=2) as receiver:
            wait_until(lambda: len(started(receiver)) == 2, "two workers")
            for _ in range(20):
                assert receiver.post(EVENT).status_code == 200
            wait_until(lambda: accepted_calls(receiver) == 20, "the calls of both workers")
            # What the one that answers knows of itself, another knows only then.
            time.sleep(2 * SHARE_SECONDS)
            os.kill(started(receiver)[0], signal.SIGKILL)
            wait_until(lambda: len(started(receiver)) == 3, "another worker")
            assert accepted_calls(receiver) == 20


def accepted_calls(receiver: ReceiverProcess) -> float:
    """The accepted calls that /metrics tells of."""
    page = httpx.get(f"{receiver.url}/metrics", timeout=30).text
    numbers = [
        float(line.rpartition(" ")[2])
        for line in page.splitlines()
        if line.startswith("asleep_receiver_requests_total{") and 'verdict="accepted"' in line
    ]
    return sum(numbers)
