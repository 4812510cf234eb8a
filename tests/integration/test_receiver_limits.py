"""Heads that are too large, on real connections; what is refused before the application is an attempt."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest

from ingest.records import Header, Topic
from ingest.settings import Settings
from tests.integration.http_connection import Connection, RawReply, chunk, head, request
from tests.integration.receiver_process import (
    KEY,
    ReceiverProcess,
    running_receiver,
    stored,
    stored_bodies,
    wait_until,
)

AUTHENTIC = f"X-API-Key: {KEY}"
EVENT = b'{"event":"INFERENCE_COMPLETE","session_id":"limits"}'
MAX_HEAD = 2048
BEGUN = head(AUTHENTIC).removesuffix(b"\r\n")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("limits")
    return Settings(data_dir=folder, max_header_bytes=MAX_HEAD, body_timeout_seconds=1.0)


@pytest.fixture(scope="module")
def receiver(settings: Settings) -> Iterator[ReceiverProcess]:
    with running_receiver(settings) as process:
        yield process
        process.terminate()
        assert process.errors == []


def _head_of(size: int, *lines: str) -> bytes:
    frame = head(*lines, "X-Pad: ")
    return head(*lines, f"X-Pad: {'x' * (size - len(frame))}")


def assert_refused(connection: Connection, status: int, error: str) -> RawReply:
    reply = connection.reply()
    assert (reply.status, reply.json["error"]) == (status, error)
    assert reply.headers["connection"] == "close"
    assert reply.json.keys() == {"error", "message", "receipt_id"}
    assert connection.is_closed()
    return reply


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_head_may_have_as_many_bytes_as_the_setting_says_and_not_one_more(
    receiver: ReceiverProcess, pieces: int
) -> None:
    with Connection(receiver.port) as connection:
        for size in (MAX_HEAD, MAX_HEAD + 1):
            whole = _head_of(size, AUTHENTIC, f"Content-Length: {len(EVENT)}") + EVENT
            step = -(-len(whole) // pieces)
            for start in range(0, len(whole), step):
                connection.send(whole[start : start + step])
            if size == MAX_HEAD:
                assert connection.reply().status == 200
        assert_refused(connection, 431, "headers_too_large")


@pytest.mark.parametrize(
    "endless",
    [
        b"A" * 3000,
        b"POST /" + b"u" * 3000,
        BEGUN + b"N" * 3000,
        BEGUN + b"X-Long: " + b"v" * 3000,
        BEGUN + b"X-Spaces: " + b" " * 3000,
        BEGUN + b"a:\r\n" * 750,
    ],
    ids=["method", "url", "header name", "header value", "spaces", "many headers"],
)
def test_a_head_without_an_end_is_refused_as_soon_as_it_is_too_large(
    receiver: ReceiverProcess, endless: bytes
) -> None:
    with Connection(receiver.port) as connection:
        connection.send(endless)
        if endless.startswith(b"A"):
            assert_refused(connection, 400, "invalid_http")
        else:
            assert_refused(connection, 431, "headers_too_large")


def test_who_goes_on_sending_a_head_gets_the_reply_and_no_reset(receiver: ReceiverProcess) -> None:
    with Connection(receiver.port) as connection:
        connection.send(BEGUN + b"X-Long: ")
        for _ in range(30):
            connection.send(b"v" * 10_000)
        assert_refused(connection, 431, "headers_too_large")


def test_a_large_head_is_refused_in_its_turn_behind_the_calls_before_it(receiver: ReceiverProcess) -> None:
    with Connection(receiver.port) as connection:
        connection.send(request(EVENT, AUTHENTIC) * 30 + _head_of(3000) + request(EVENT, AUTHENTIC))
        assert {connection.reply().status for _ in range(30)} == {200}
        assert_refused(connection, 431, "headers_too_large")


def test_a_large_head_that_offers_an_upgrade_is_refused_too(receiver: ReceiverProcess) -> None:
    with Connection(receiver.port) as connection:
        connection.send(_head_of(3000, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"))
        assert_refused(connection, 431, "headers_too_large")


@pytest.mark.parametrize("read_before", [False, True], ids=["at once", "behind a call"])
def test_calls_and_the_beginning_of_a_head_in_one_read_are_no_large_head(
    receiver: ReceiverProcess, read_before: bool
) -> None:
    call, large = request(EVENT, AUTHENTIC), request(EVENT + b" " * 20_000, AUTHENTIC)
    with Connection(receiver.port) as connection:
        if read_before:
            connection.send(call)
            assert connection.reply().status == 200
        for calls in (call * 200, large * 2):
            connection.send(calls + call[:40])
            assert {connection.reply().status for _ in range(calls.count(b"POST"))} == {200}
            connection.send(call[40:])
            assert connection.reply().status == 200


def test_many_pipelined_calls_are_no_large_head(receiver: ReceiverProcess) -> None:
    with Connection(receiver.port) as connection:
        whole = request(EVENT, AUTHENTIC) * 200
        for start in range(0, len(whole), 5000):
            connection.send(whole[start : start + 5000])
        assert {connection.reply().status for _ in range(200)} == {200}


def test_trailers_do_not_become_headers_of_the_call(receiver: ReceiverProcess, settings: Settings) -> None:
    with Connection(receiver.port) as connection:
        trailers = b"0\r\nX-User-Id: smuggled\r\nContent-Type: smuggled\r\n\r\n"
        connection.send(head(AUTHENTIC, "Transfer-Encoding: chunked") + chunk(EVENT) + trailers)
        receipt_id = connection.reply().json["receipt_id"].encode()
    records = [dict(record.headers) for record in stored(settings, Topic.EVENTS)]
    (found,) = [names for names in records if names[Header.RECEIPT_ID] == receipt_id]
    assert found.keys() & {Header.USER_ID, Header.CONTENT_TYPE} == set()


@pytest.mark.parametrize("endless", [b"0\r\nX-Long: ", b"1;extension="])
def test_trailers_without_an_end_end_the_connection(receiver: ReceiverProcess, endless: bytes) -> None:
    with Connection(receiver.port) as connection:
        connection.send(head(AUTHENTIC, "Transfer-Encoding: chunked") + chunk(EVENT) + endless)
        with contextlib.suppress(ConnectionError):
            for _ in range(300):
                connection.send(b"v" * 100_000)
            pytest.fail("30 MB of trailers were taken in")


def test_every_refused_head_and_body_ends_as_an_attempt(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("attempts"),
        max_header_bytes=MAX_HEAD,
        body_timeout_seconds=0.3,
        trusted_proxies=("127.0.0.1",),
    )
    begun = BEGUN + b"X-Forwarded-For: 203.0.113.9\r\nX-Last: 1\r\n"
    beginnings = (
        _head_of(3000, "X-Forwarded-For: 203.0.113.9"),
        begun + b"N" * 3000,
        begun,
        begun + b"Content-Length: 9\r\n\r\n",
        begun + b"\x00: no name\r\n\r\n",
        begun + b"Transfer-Encoding: chunked\r\n\r\nno size\r\n",
    )
    with running_receiver(settings) as receiver:
        for beginning in beginnings:
            with Connection(receiver.port) as connection:
                connection.send(beginning)
                connection.reply()
        wait_until(lambda: len(stored(settings, Topic.ATTEMPTS)) == len(beginnings), "the attempts")
    attempts = [dict(record.headers) for record in stored(settings, Topic.ATTEMPTS)]
    assert Counter(attempt[Header.REASON] for attempt in attempts) == {
        b"headers_too_large": 2,
        b"body_stalled": 2,
        b"invalid_http": 2,
    }
    assert {attempt[Header.STATUS] for attempt in attempts} == {b"431", b"408", b"400"}
    assert {attempt[Header.REMOTE_ADDRESS] for attempt in attempts} == {b"203.0.113.9"}
    assert {attempt[Header.PATH] for attempt in attempts} == {b"/webhook"}
    assert stored_bodies(settings) == {}
