"""The receiver as a process: how it starts, what it logs, how it ends."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

import httpx
import pytest

from ingest.settings import Settings
from tests.integration.http_connection import Connection, head
from tests.integration.receiver_process import (
    KEY,
    run_to_its_end,
    running_receiver,
    stored_bodies,
    wait_until,
)

EVENT = b'{"event":"INFERENCE_COMPLETE","user_id":"user-1","session_id":"session-1"}'

CURL_COMMANDS = [
    """\
curl -X POST http://localhost:5000/webhook \\
  -H "Content-Type: application/json" \\
  -H "x-api-key: YOUR_API_KEY" \\
  -H "x-user-id: test_user" \\
  -d '{
    "event": "INFERENCE_COMPLETE",
    "version": "V3",
    "session_id": "test123",
    "sleep_stages": [1, 1, 2]
  }'
""",
    """\
curl -X POST http://localhost:5000/webhook \\
  -H "Content-Type: application/json" \\
  -H "x-api-key: YOUR_API_KEY" \\
  -H "x-user-id: test_user" \\
  -d '{
    "event": "SESSION_COMPLETE",
    "version": "V3",
    "session_id": "test123",
    "stat": {
      "sleep_time": "07:30:00",
      "sleep_efficiency": 88.5
    }
  }'
""",
]


@pytest.mark.skipif(shutil.which("curl") is None, reason="no `curl` on the PATH")
def test_the_curl_commands_of_the_vendors_reference_work_word_for_word(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "api_keys": "YOUR_API_KEY"})
    with running_receiver(settings) as receiver:
        for command in CURL_COMMANDS:
            shell = ["sh", "-c", command.replace("5000", str(receiver.port))]
            run = subprocess.run(shell, capture_output=True, text=True, check=True, timeout=30)
            reply = httpx.Response(200, text=run.stdout).json()
            assert reply["status"] == "received"
            body = stored_bodies(settings)[reply["receipt_id"]]
            assert body.decode() == command[command.index("{") : command.rindex("}") + 1]


def test_it_refuses_to_start_without_a_key_and_says_which_setting_to_give(tmp_path: Path) -> None:
    ended = run_to_its_end(Settings(data_dir=tmp_path, api_keys=()))
    assert ended.returncode != 0
    assert "ASLEEP_API_KEYS" in ended.stderr


def test_an_address_in_use_ends_it_with_an_error(tmp_path: Path) -> None:
    with running_receiver(Settings(data_dir=tmp_path)) as receiver:
        ended = run_to_its_end(Settings(data_dir=tmp_path, port=receiver.port))
    assert ended.returncode != 0
    assert "address already in use" in ended.stderr.lower()


@pytest.mark.parametrize("workers", [1, 2])
def test_settings_are_logged_once_and_no_secret_ever(tmp_path: Path, workers: int) -> None:
    settings = Settings(data_dir=tmp_path, log_level="DEBUG")
    with running_receiver(settings, workers=workers) as receiver:
        receiver.post(EVENT)
        receiver.post(b"secret-body")
        receiver.post(EVENT, {"x-api-key": "secret-key"})
        receiver.terminate()
    (starting,) = receiver.logged("receiver starting")
    assert starting["workers"] == workers
    assert starting["settings"]["data_dir"] == str(tmp_path)
    assert len(receiver.logged("call refused")) == 2
    assert receiver.errors == []
    for secret in (KEY, "secret-body", "secret-key", "session-1"):
        assert secret not in str(receiver.lines)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_call_in_flight_is_finished_after_sigterm(tmp_path: Path, workers: int) -> None:
    settings = Settings(data_dir=tmp_path)
    with running_receiver(settings, workers=workers) as receiver, Connection(receiver.port) as connection:
        connection.send(head(f"x-api-key: {KEY}", f"Content-Length: {len(EVENT)}", "Expect: 100-continue"))
        assert connection.reply().status == 100
        connection.send(EVENT[:20])
        ending = threading.Thread(target=receiver.terminate)
        ending.start()
        wait_until(lambda: bool(receiver.logged("Shutting down")), "the shutdown")
        connection.send(EVENT[20:])
        reply = connection.reply()
        ending.join(timeout=30)
        assert not receiver.alive
    assert reply.status == 200
    assert stored_bodies(settings)[reply.json["receipt_id"]] == EVENT
    assert receiver.errors == []


def test_several_workers_share_one_address_and_one_log(log_settings: Settings) -> None:
    with running_receiver(log_settings, workers=2) as receiver:
        receipts: list[str] = []
        for _ in range(40):
            reply = receiver.post(EVENT)
            assert reply.status_code == 200, reply.text
            receipts.append(reply.json()["receipt_id"])
    assert stored_bodies(log_settings) == dict.fromkeys(receipts, EVENT)
    workers = {line["process"] for line in receiver.logged("Application startup complete.")}
    assert len(workers) == 2


def test_a_body_of_exactly_the_limit_is_stored_on_every_log(log_settings: Settings) -> None:
    frame = b'{"session_id":"%b"}'
    largest = frame % (b"s" * (log_settings.max_body_bytes - len(frame % b"")))
    with running_receiver(log_settings) as receiver:
        reply = receiver.post(largest)
        assert reply.status_code == 200, reply.text
        assert receiver.post(largest + b" ").status_code == 413
    assert stored_bodies(log_settings) == {reply.json()["receipt_id"]: largest}
