"""Callers that send many calls on one connection and read nothing: they cost little, and not for long."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.settings import Settings
from tests.integration.http_connection import Connection, chunk, head, request
from tests.integration.receiver_process import (
    KEY,
    ReceiverProcess,
    running_receiver,
    stored_bodies,
    wait_until,
)

AUTHENTIC = f"X-API-Key: {KEY}"
EVENT = b'{"event":"INFERENCE_COMPLETE","session_id":"pipelining"}'
LARGE_REPLY = b"GET /openapi.json HTTP/1.1\r\nHost: receiver\r\n\r\n"
TINY_CALL = b"GET / HTTP/1.1\r\n\r\n"
CONNECTIONS = 30

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="needs /proc to tell what a process uses"
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, body_timeout_seconds=1.0)


@pytest.fixture
def receiver(settings: Settings) -> Iterator[ReceiverProcess]:
    with running_receiver(settings) as process:
        yield process
        process.terminate()
        assert process.errors == []


def _memory_mib(receiver: ReceiverProcess) -> float:
    status = Path(f"/proc/{receiver.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def _is_held_open(receiver: ReceiverProcess, connection: socket.socket) -> bool:
    """Whether the receiver has its end of the connection open, however much the kernel has yet to send."""
    ends = [f":{receiver.port:04X}", f":{connection.getsockname()[1]:04X}"]
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
    return any([row[1][8:], row[2][8:], row[3]] == [*ends, "01"] for row in rows)


def _deaf_caller(receiver: ReceiverProcess) -> socket.socket:
    """A connection on which replies are not read, and few of them fit."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", receiver.port))
    return connection


def _send_what_is_taken(connection: socket.socket, data: bytes) -> None:
    """Send until the receiver takes no more for a moment, or closes."""
    connection.settimeout(0.1)
    with contextlib.suppress(OSError):
        connection.sendall(data)
    connection.settimeout(30)


def test_calls_whose_replies_nobody_reads_take_little_memory(receiver: ReceiverProcess) -> None:
    before = _memory_mib(receiver)
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            _send_what_is_taken(stack.enter_context(_deaf_caller(receiver)), LARGE_REPLY * 5000)
        assert receiver.post(EVENT).status_code == 200
        assert _memory_mib(receiver) - before < 2 * CONNECTIONS


def test_who_reads_no_replies_is_disconnected_when_its_time_is_over(receiver: ReceiverProcess) -> None:
    with _deaf_caller(receiver) as connection:
        _send_what_is_taken(connection, LARGE_REPLY * 5000)
        wait_until(lambda: not _is_held_open(receiver, connection), "the end of the connection")


def test_a_last_reply_that_is_not_read_keeps_no_connection_open(receiver: ReceiverProcess) -> None:
    last = LARGE_REPLY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with contextlib.ExitStack() as stack:
        callers = [stack.enter_context(_deaf_caller(receiver)) for _ in range(64)]
        # How many replies the kernel takes is its own affair; behind one of these numbers a part is left.
        for replies, connection in enumerate(callers):
            connection.sendall(LARGE_REPLY * replies + last)
        for connection in callers:
            wait_until(lambda: not _is_held_open(receiver, connection), "the end")  # noqa: B023  used at once


def test_who_pipelines_a_lot_and_reads_slowly_gets_every_reply(receiver: ReceiverProcess) -> None:
    with Connection(receiver.port) as connection:
        sender = threading.Thread(target=connection.send, args=(LARGE_REPLY * 500,))
        sender.start()
        assert {connection.reply().status for _ in range(500)} == {200}
        sender.join(timeout=30)


def test_a_flood_of_tiny_calls_holds_nobody_up(receiver: ReceiverProcess) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            _send_what_is_taken(stack.enter_context(_deaf_caller(receiver)), TINY_CALL * 50_000)
        for _ in range(10):
            assert receiver.post(EVENT).status_code == 200
    assert receiver.logged("event log away, events go to the spool") == []


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_large_bodies_behind_waiting_calls_come_whole_and_in_order(
    receiver: ReceiverProcess, settings: Settings, chunked: bool
) -> None:
    bodies = [EVENT + b" " * size for size in (10, 300_000, 3000, 70_000, 2048, 700_000, 0)]
    with Connection(receiver.port) as connection:
        for body in bodies:
            if chunked:
                connection.send(head(AUTHENTIC, "Transfer-Encoding: chunked") + chunk(body) + chunk(b""))
            else:
                connection.send(request(body, AUTHENTIC))
        receipts = [connection.reply().json["receipt_id"] for _ in bodies]
    found = stored_bodies(settings)
    assert [found[receipt_id] for receipt_id in receipts] == bodies
