"""What happens on one connection: refused bodies, pipelining, chunks, clients that leave."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ingest.records import Header, Topic
from ingest.settings import Settings
from tests.integration.http_connection import Connection, chunk, head, request
from tests.integration.receiver_process import (
    KEY,
    ReceiverProcess,
    running_receiver,
    stored,
    stored_bodies,
)

AUTHENTIC = f"X-API-Key: {KEY}"
TWO_MEBIBYTES = b" " * 2**21


@pytest.fixture(scope="module")
def log_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("connections"))


@pytest.fixture(scope="module")
def receiver(log_settings: Settings) -> Iterator[ReceiverProcess]:
    with running_receiver(log_settings) as process:
        yield process
        assert process.terminate() is not None
        assert process.errors == []


def _event(name: str) -> bytes:
    return b'{"event":"INFERENCE_COMPLETE","session_id":"%b"}' % name.encode()


def test_header_names_are_read_in_any_case(receiver: ReceiverProcess) -> None:
    with Connection(receiver.port) as connection:
        for name in ("x-api-key", "X-API-KEY", "X-Api-Key"):
            connection.send(request(_event("case"), f"{name}: {KEY}"))
            assert connection.reply().status == 200


def test_a_latin_1_user_is_stored_in_utf_8(receiver: ReceiverProcess, log_settings: Settings) -> None:
    with Connection(receiver.port) as connection:
        connection.send(request(_event("latin-1"), AUTHENTIC, "X-User-Id: M\xfcller \xff", "Accept: \xe9"))
        receipt_id = connection.reply().json["receipt_id"]
    headers = [dict(record.headers) for record in stored(log_settings, Topic.EVENTS)]
    (found,) = [names for names in headers if names[Header.RECEIPT_ID] == receipt_id.encode()]
    assert found[Header.USER_ID].decode() == "M\xfcller \xff"


def test_a_chunked_body_is_stored_whole(receiver: ReceiverProcess, log_settings: Settings) -> None:
    body = _event("chunked")
    with Connection(receiver.port) as connection:
        connection.send(head(AUTHENTIC, "Transfer-Encoding: chunked"))
        for start in range(0, len(body), 7):
            connection.send(chunk(body[start : start + 7]))
        connection.send(chunk(b""))
        reply = connection.reply()
    assert reply.status == 200
    assert stored_bodies(log_settings)[reply.json["receipt_id"]] == body


def test_a_connection_survives_a_refused_caller_whose_body_was_not_read(receiver: ReceiverProcess) -> None:
    with Connection(receiver.port) as connection:
        connection.send(request(b"x" * 500_000, "x-api-key: wrong"))
        assert connection.reply().status == 401
        connection.send(request(_event("after a refusal"), AUTHENTIC))
        assert connection.reply().status == 200


def test_a_body_of_two_mebibytes_gets_its_reply_and_then_the_end_of_the_connection(
    receiver: ReceiverProcess,
) -> None:
    with Connection(receiver.port) as connection:
        connection.send(request(TWO_MEBIBYTES, AUTHENTIC))
        reply = connection.reply()
        assert (reply.status, reply.json["error"]) == (413, "body_too_large")
        assert reply.headers["connection"] == "close"
        assert connection.is_closed()


def test_a_chunked_body_past_the_limit_gets_its_reply_and_then_the_end_of_the_connection(
    receiver: ReceiverProcess,
) -> None:
    with Connection(receiver.port) as connection:
        connection.send(head(AUTHENTIC, "Transfer-Encoding: chunked"))
        for _ in range(32):
            connection.send(chunk(b"x" * 65_536))
        connection.send(chunk(b""))
        assert connection.reply().status == 413
        assert connection.is_closed()


def test_a_caller_that_asks_first_is_refused_before_it_sends_its_body(receiver: ReceiverProcess) -> None:
    with Connection(receiver.port) as connection:
        connection.send(head(AUTHENTIC, "Content-Length: 2097152", "Expect: 100-continue"))
        assert connection.reply().status == 413


JAVA_OFFER = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
)
WEBSOCKET_OFFER = ("Connection: Upgrade", "Upgrade: websocket")


@pytest.mark.parametrize("offer", [JAVA_OFFER, WEBSOCKET_OFFER], ids=["h2c", "websocket"])
def test_an_offer_to_upgrade_is_ignored_and_costs_no_body(
    receiver: ReceiverProcess, log_settings: Settings, offer: tuple[str, ...]
) -> None:
    body = _event("upgrade")
    sized = head(AUTHENTIC, f"Content-Length: {len(body)}", *offer)
    chunked = head(AUTHENTIC, "Transfer-Encoding: chunked", *offer)
    with Connection(receiver.port) as connection:
        connection.send((sized + body) * 50)
        receipts = [connection.reply().json["receipt_id"] for _ in range(50)]
        for piece in (sized[:40], sized[40:], body[:10], body[10:]):
            connection.send(piece)
        receipts.append(connection.reply().json["receipt_id"])
        connection.send(chunked + chunk(body[:10]) + chunk(body[10:]) + chunk(b""))
        receipts.append(connection.reply().json["receipt_id"])
    found = stored_bodies(log_settings)
    assert [found[receipt_id] for receipt_id in receipts] == [body] * 52
    assert receiver.logged("Unsupported upgrade request.") == []


def test_pipelined_calls_are_answered_in_order_and_all_stored(
    receiver: ReceiverProcess, log_settings: Settings
) -> None:
    bodies = [_event(f"pipelined-{number}") for number in range(200)]
    with Connection(receiver.port) as connection:
        connection.send(b"".join(request(body, AUTHENTIC) for body in bodies))
        receipts = [connection.reply().json["receipt_id"] for _ in bodies]
    assert receipts == sorted(set(receipts))
    found = stored_bodies(log_settings)
    assert [found[receipt_id] for receipt_id in receipts] == bodies


@pytest.mark.parametrize(
    "beginning",
    [
        head(AUTHENTIC, "Content-Length: 100"),
        head(AUTHENTIC, "Content-Length: 100") + _event("left"),
        head(AUTHENTIC, "Transfer-Encoding: chunked") + chunk(_event("left")),
    ],
    ids=["before its body", "in mid-body", "between chunks"],
)
def test_a_client_that_leaves_leaves_nothing_behind(
    receiver: ReceiverProcess, log_settings: Settings, beginning: bytes
) -> None:
    before = len(stored(log_settings, Topic.EVENTS))
    with Connection(receiver.port) as connection:
        connection.send(beginning)
    with Connection(receiver.port) as connection:
        connection.send(request(_event("still there"), AUTHENTIC))
        assert connection.reply().status == 200
    assert len(stored(log_settings, Topic.EVENTS)) == before + 1


@pytest.mark.parametrize(
    ("answered", "garbage"),
    [
        (b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
        (b"", b"CONNECT elsewhere:443 HTTP/1.1\r\n\r\n"),
        (b"", head(AUTHENTIC, "Content-Length: none")),
        (b"", head(AUTHENTIC, "Transfer-Encoding: chunked") + b"no size\r\n"),
        (request(_event("good"), AUTHENTIC) * 30, b"garbage\r\n\r\n"),
        (request(_event("good"), AUTHENTIC) * 3, head(AUTHENTIC, "Transfer-Encoding: chunked") + b"?\r\n"),
    ],
    ids=["TLS", "CONNECT", "length", "chunk", "behind calls", "chunk behind calls"],
)
def test_what_is_no_http_is_refused_in_its_turn(
    receiver: ReceiverProcess, answered: bytes, garbage: bytes
) -> None:
    with Connection(receiver.port) as connection:
        connection.send(answered + garbage)
        for _ in range(answered.count(b"POST")):
            assert connection.reply().status == 200
        reply = connection.reply()
    assert (reply.status, reply.json["error"]) == (400, "invalid_http")
    assert reply.headers["connection"] == "close"


def test_strangers_who_speak_no_http_cause_no_line_but_that_of_a_refused_call(
    receiver: ReceiverProcess,
) -> None:
    before = len(receiver.lines)
    for nonsense in (b"nonsense\r\n\r\n", b"CONNECT / HTTP/1.1\r\n\r\n"):
        for _ in range(3):
            with Connection(receiver.port) as connection:
                connection.send(nonsense)
                assert connection.reply().status >= 400
    assert {line["message"] for line in receiver.lines[before:]} == {"call refused"}


def test_no_reply_names_the_server_software(receiver: ReceiverProcess) -> None:
    with Connection(receiver.port) as connection:
        connection.send(request(_event("quiet"), AUTHENTIC))
        reply = connection.reply()
    assert "server" not in reply.headers
    assert not re.search("uvicorn|starlette|fastapi", str(reply), re.IGNORECASE)
