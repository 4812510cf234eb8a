"""Calls that stall or come drop by drop, on real connections: refused in time, and in nobody's way."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.records import Topic
from ingest.settings import Settings
from tests.integration.http_connection import Connection, chunk, head, request
from tests.integration.receiver_process import ReceiverProcess, running_receiver, stored
from tests.integration.test_receiver_limits import AUTHENTIC, BEGUN, EVENT, assert_refused


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("stalls"), body_timeout_seconds=1.0)
    with running_receiver(settings) as process:
        yield process
        process.terminate()
        assert process.errors == []


@contextlib.contextmanager
def _dripping(connection: Connection, drop: bytes) -> Iterator[None]:
    """Send the same few bytes again and again, until the block ends or the server does not want them."""
    over = threading.Event()

    def drip() -> None:
        with contextlib.suppress(OSError):
            while not over.wait(0.05):
                connection.send(drop)

    dripper = threading.Thread(target=drip)
    dripper.start()
    try:
        yield
    finally:
        over.set()
        dripper.join(timeout=30)


@pytest.mark.parametrize(
    "beginning",
    [b"POST /webh", BEGUN, request(EVENT, AUTHENTIC) + BEGUN],
    ids=["in the first line", "among the headers", "behind a call"],
)
def test_a_head_that_stalls_is_refused_and_its_connection_closed(
    receiver: ReceiverProcess, beginning: bytes
) -> None:
    with Connection(receiver.port) as connection:
        connection.send(beginning)
        if beginning.endswith(EVENT + BEGUN):
            assert connection.reply().status == 200
        assert_refused(connection, 408, "body_stalled")


@pytest.mark.parametrize("beginning", [b"", b"\r\n"], ids=["nothing", "an empty line"])
def test_a_connection_on_which_no_call_begins_is_closed_without_a_word(
    tmp_path: Path, beginning: bytes
) -> None:
    settings = Settings(data_dir=tmp_path, body_timeout_seconds=0.3)
    with running_receiver(settings) as receiver:
        before = len(receiver.lines)
        with Connection(receiver.port) as connection:
            connection.send(beginning)
            assert connection.is_closed()
        assert receiver.lines[before:] == []
    assert stored(settings, Topic.ATTEMPTS) == []


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (BEGUN, b"a: b\r\n"),
        (head(AUTHENTIC, "Content-Length: 1000"), b" "),
        (head(AUTHENTIC, "Transfer-Encoding: chunked"), chunk(b" ")),
    ],
    ids=["headers", "body", "chunks"],
)
def test_a_call_that_comes_drop_by_drop_is_refused_when_its_time_is_over(
    receiver: ReceiverProcess, beginning: bytes, drop: bytes
) -> None:
    with Connection(receiver.port) as connection:
        connection.send(beginning)
        with _dripping(connection, drop):
            reply = connection.reply()
    assert (reply.status, reply.json["error"]) == (408, "body_stalled")
    assert reply.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [(head("Content-Length: 1000"), b" "), (head("Content-Length: 2") + b"{}", b"\r\n")],
    ids=["its body", "empty lines"],
)
def test_who_was_answered_and_drips_on_is_disconnected(
    receiver: ReceiverProcess, beginning: bytes, drop: bytes
) -> None:
    with Connection(receiver.port) as connection:
        connection.send(beginning)
        assert connection.reply().status == 401
        with _dripping(connection, drop), contextlib.suppress(ConnectionError):
            assert connection.is_closed()


@pytest.mark.parametrize(
    "beginning",
    [head(AUTHENTIC, "Content-Length: 100"), head(AUTHENTIC, "Transfer-Encoding: chunked") + chunk(b"{")],
    ids=["declared", "chunked"],
)
def test_a_body_that_stalls_is_refused_and_its_connection_closed(
    receiver: ReceiverProcess, beginning: bytes
) -> None:
    with Connection(receiver.port) as connection:
        connection.send(beginning)
        assert_refused(connection, 408, "body_stalled")


def test_a_connection_that_rests_between_calls_is_kept(receiver: ReceiverProcess) -> None:
    with Connection(receiver.port) as resting, Connection(receiver.port) as stalling:
        resting.send(request(EVENT, AUTHENTIC))
        assert resting.reply().status == 200
        stalling.send(BEGUN)
        assert_refused(stalling, 408, "body_stalled")
        resting.send(request(EVENT, AUTHENTIC))
        assert resting.reply().status == 200


def test_a_hundred_stalled_connections_hold_nobody_up(receiver: ReceiverProcess) -> None:
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(Connection(receiver.port)) for _ in range(100)]
        for connection in stalled:
            connection.send(BEGUN)
        assert receiver.post(EVENT).status_code == 200
        for connection in stalled:
            assert_refused(connection, 408, "body_stalled")
