"""The whole pipeline on one machine, as `asleep up` runs it."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.asleep import Installation, wait_for

REPORT = {
    "event": "SESSION_COMPLETE",
    "version": "V3",
    "timestamp": "2026-01-02T06:30:00Z",
    "user_id": "someone",
    "session_id": "a-night",
    "session": {
        "id": "a-night",
        "state": "COMPLETE",
        "start_time": "2026-01-01T22:00:00+00:00",
        "end_time": "2026-01-01T22:05:00+00:00",
        "timezone": "UTC",
        "sleep_stages": [0, 0, 1, 1, 2, 2, 3, 3, 1, 0],
    },
    "stat": {},
    "peculiarities": [],
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data")
    process = installation.start("up")
    try:
        installation.wait_until_ready(process)
        yield installation
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(90)
    assert code == 0, installation.output()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_call_becomes_a_row_while_readers_keep_opening_the_file(place: Installation) -> None:
    status, answer = place.post(json.dumps(REPORT).encode())
    assert status == 200

    def seconds_asleep() -> object | None:
        if not place.warehouse.exists():
            return None
        rows = place.query("select time_in_sleep_seconds, raw_receipt_id from sessions")
        return rows or None

    assert wait_for(seconds_asleep, 120, "the call is a row") == [(210, answer["receipt_id"])]

    for number in range(100):
        late = REPORT | {
            "timestamp": f"2026-01-02T07:00:00.{number:03}Z",
            "session_id": f"night-{number % 7}",
        }
        assert place.post(json.dumps(late).encode())[0] == 200
        [(sessions, told)] = place.query("""
            select
                (select count(*) from sessions),
                (select arg_max(row_counts ->> '$.sessions', build_id)::bigint from build_info)
        """)
        assert sessions == told

    second = place.run("up")
    assert (second.returncode, "ASLEEP_DATA_DIR: another `asleep up`" in second.stderr) == (2, True)
    assert place.run("health", "receiver").returncode == 0
    assert place.run("health", "lander").returncode == 0
    assert place.run("health", "dagster").returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ctrl_c_loses_nothing(tmp_path: Path) -> None:
    place = Installation(tmp_path / "data")
    process = place.start("up")
    try:
        place.wait_until_ready(process)
        receipts = []
        for number in range(50):
            status, answer = place.post(json.dumps(REPORT | {"session_id": str(number)}).encode())
            assert status == 200
            receipts.append(answer["receipt_id"])
    finally:
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(90) == 0, place.output()
    asked = tmp_path / "receipts.txt"
    asked.write_text("\n".join(receipts))
    assert place.run("land", "--once").returncode == 0
    verified = place.run("verify", "--deep", "--receipts", str(asked))
    assert verified.returncode == 0, verified.stdout
    assert "50 of 50 asked receipts" in verified.stdout


@pytest.mark.slow
def test_a_port_of_the_lander_that_something_else_listens_on_is_named_before_anything_starts(
    tmp_path: Path,
) -> None:
    place = Installation(tmp_path / "data")
    with socket.create_server(("127.0.0.1", place.lander_port)):
        ended = place.run("up")
    assert ended.returncode == 2
    assert f"ASLEEP_LANDER_PORT: can not listen on port {place.lander_port}" in ended.stderr
    assert not (place.data_dir / "logs").exists()
