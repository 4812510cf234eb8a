"""What the receiver does with a call that it refuses or can not store, on a log in memory."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from ingest.event_log.base import AppendFailed, AppendTimeout, LogUnavailable, RecordRefused
from ingest.records import Reason
from tests.unit.asgi_calls import AUTHENTIC, EVENT, KEY, Caller, HeaderList, Reply, post, receiver
from tests.unit.memory_log import MemoryLog


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


def _refused(log: MemoryLog, reason: Reason, status: int, body: bytes, body_bytes: int) -> None:
    (record,) = log.records
    assert (record.topic, record.key, record.value) == ("asleep.attempts", None, body)
    assert record.headers["reason"] == reason.encode()
    assert record.headers["status"] == b"%d" % status
    assert record.headers["body_bytes"] == b"%d" % body_bytes


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], Reason.MISSING_API_KEY),
        ([(b"x-api-key", b"")], Reason.MISSING_API_KEY),
        ([(b"x-api-key", b"wrong")], Reason.WRONG_API_KEY),
        ([(b"x-api-key", KEY.encode() + b"x")], Reason.WRONG_API_KEY),
        ([(b"x-api-key", b"\xff\xfe")], Reason.WRONG_API_KEY),
        ([(b"authorization", KEY.encode())], Reason.MISSING_API_KEY),
        ([*AUTHENTIC, (b"x-api-key", b"wrong")], Reason.WRONG_API_KEY),
    ],
)
def test_a_caller_without_one_of_our_keys_gets_401_and_its_body_is_not_kept(
    log: MemoryLog, headers: HeaderList, reason: Reason
) -> None:
    reply = post(receiver(log), EVENT, headers)
    assert (reply.status, reply.json["error"]) == (401, reason)
    _refused(log, reason, 401, body=b"", body_bytes=0)


def test_the_key_is_checked_before_anything_of_the_body_is_read(log: MemoryLog) -> None:
    caller = Caller([EVENT], headers=[(b"content-length", b"%d" % len(EVENT))])
    assert asyncio.run(caller.call(receiver(log))).status == 401
    assert caller.received == 0


def test_every_configured_key_opens(log: MemoryLog) -> None:
    app = receiver(log, api_keys="one, two ,three")
    statuses = [post(app, EVENT, [(b"x-api-key", key)]).status for key in (b"one", b"two", b"three", b"four")]
    assert statuses == [200, 200, 200, 401]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xfe", Reason.BODY_NOT_UTF8),
        (b"", Reason.BODY_NOT_JSON),
        (b'{"event":', Reason.BODY_NOT_JSON),
        (b'\xef\xbb\xbf{"event":"E"}', Reason.BODY_NOT_JSON),
        (b'{"a":NaN}', Reason.BODY_NOT_JSON),
        (b'{"a":"\x00"}', Reason.BODY_NOT_JSON),
        (b"[" * 100_000, Reason.BODY_NOT_JSON),
        (b"[1]", Reason.BODY_NOT_AN_OBJECT),
    ],
)
def test_an_authentic_body_that_is_no_object_gets_400_and_is_kept(
    log: MemoryLog, body: bytes, reason: Reason
) -> None:
    reply = post(receiver(log), body, [*AUTHENTIC, (b"x-user-id", b"user-1"), (b"content-type", b"text/x")])
    assert (reply.status, reply.json["error"]) == (400, reason)
    _refused(log, reason, 400, body=body, body_bytes=len(body))
    headers = log.records[0].headers
    assert int(headers.pop("received_at")) > 0
    assert headers == {
        "receipt_id": reply.json["receipt_id"].encode(),
        "user_id": b"user-1",
        "remote_address": b"192.0.2.7",
        "content_type": b"text/x",
        "signature": b"none",
        "path": b"/webhook",
        "envelope": b"1",
        "reason": reason.encode(),
        "status": b"400",
        "body_bytes": b"%d" % len(body),
    }


def test_a_body_of_exactly_the_limit_is_accepted_and_one_byte_more_is_not(log: MemoryLog) -> None:
    app = receiver(log, max_body_bytes=len(EVENT))
    assert post(app, EVENT).status == 200
    reply = post(app, EVENT + b" ")
    assert (reply.status, reply.json["error"]) == (413, Reason.BODY_TOO_LARGE)
    assert len(log.events) == 1
    assert log.attempts[0].value == b""
    assert log.attempts[0].headers["body_bytes"] == b"0"


def test_two_mebibytes_are_too_much_by_default_and_are_not_read(log: MemoryLog) -> None:
    caller = Caller([b" " * 2**21], [*AUTHENTIC, (b"content-length", b"%d" % 2**21)], disconnects=True)
    reply = asyncio.run(caller.call(receiver(log)))
    assert reply.status == 413
    _refused(log, Reason.BODY_TOO_LARGE, 413, body=b"", body_bytes=0)


def test_a_body_without_a_declared_length_is_cut_off_at_the_limit(log: MemoryLog) -> None:
    caller = Caller([b"x" * 1000] * 2000)
    reply = asyncio.run(caller.call(receiver(log)))
    assert reply.status == 413
    _refused(log, Reason.BODY_TOO_LARGE, 413, body=b"", body_bytes=1_049_000)


def test_a_connection_with_an_unbounded_rest_is_closed_once_the_client_stops(log: MemoryLog) -> None:
    caller = Caller([b"x" * 60] * 3)
    reply = asyncio.run(caller.call(receiver(log, max_body_bytes=100)))
    assert reply.headers[b"connection"] == b"close"
    assert caller.received == 3
    assert reply.complete


def test_a_connection_with_a_small_rest_stays_open(log: MemoryLog) -> None:
    reply = post(receiver(log), EVENT, [])
    assert reply.status == 401
    assert b"connection" not in reply.headers
    assert reply.complete


@pytest.mark.parametrize("chunks", [(), (b'{"event":',), (b'{"event":', b'"E"}')])
def test_a_client_that_leaves_in_mid_body_leaves_nothing(
    log: MemoryLog, chunks: tuple[bytes, ...], caplog: pytest.LogCaptureFixture
) -> None:
    caller = Caller(chunks, disconnects=True)
    assert asyncio.run(caller.call(receiver(log))).messages == []
    assert log.records == []
    assert caplog.records == []


@pytest.mark.parametrize("failure", [AppendFailed("refused"), AppendTimeout("2 s"), LogUnavailable("away")])
def test_an_event_that_is_not_acknowledged_gets_503_and_when_to_retry(
    failure: AppendFailed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="ingest.webhook")
    reply = post(receiver(MemoryLog(failure=failure)))
    assert (reply.status, reply.json["error"]) == (503, Reason.LOG_UNAVAILABLE)
    assert int(reply.headers[b"retry-after"]) > 0
    opened, told = caplog.records
    assert (opened.levelno, str(failure) in str(opened.__dict__["fields"])) == (logging.WARNING, True)
    assert (told.levelno, told.__dict__["fields"]["receipt_id"]) == (logging.DEBUG, reply.json["receipt_id"])


def test_an_event_that_is_not_acknowledged_is_recorded_under_its_receipt_when_the_log_is_back(
    log: MemoryLog, tmp_path: Path
) -> None:
    app = receiver(log, data_dir=tmp_path, spool_max_bytes=1)
    log.failure = RecordRefused("not this one")

    async def scenario() -> Reply:
        async with app.router.lifespan_context(app):
            reply = await Caller([EVENT]).call(app)
            log.failure = None
        return reply

    reply = asyncio.run(scenario())
    assert reply.status == 503
    (record,) = log.attempts
    assert record.headers["receipt_id"] == reply.json["receipt_id"].encode()
    assert (record.headers["signature"], record.headers["status"]) == (b"none", b"503")
    assert "calls" not in record.headers


@pytest.mark.parametrize(
    ("body", "headers", "status"), [(EVENT, (), 401), (b"[]", AUTHENTIC, 400), (b"x" * 2**21, AUTHENTIC, 413)]
)
def test_an_attempt_that_can_not_be_recorded_changes_no_reply_and_is_logged(
    body: bytes, headers: HeaderList, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    reply = post(receiver(MemoryLog(failure=AppendFailed("refused"))), body, headers)
    assert reply.status == status
    (warning,) = [
        record for record in caplog.records if record.message.startswith("refused call not recorded")
    ]
    assert warning.__dict__["fields"]["receipt_id"] == reply.json["receipt_id"]


def test_a_refusal_is_logged_with_its_reason_but_never_a_key_or_a_body(
    log: MemoryLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    app = receiver(log)
    post(app, b"secret-body", [*AUTHENTIC])
    post(app, b"secret-body", [(b"x-api-key", b"secret-key")])
    log.failure = AppendFailed("refused")
    post(app, b'{"secret-body":1}')
    post(app, b"secret-body", [(b"x-api-key", b"secret-key")])

    lines = [f"{record.getMessage()} {record.__dict__.get('fields')}" for record in caplog.records]
    assert any("body_not_json" in line for line in lines)
    assert any("wrong_api_key" in line for line in lines)
    for secret in ("secret-body", "secret-key", KEY):
        assert not any(secret in line for line in lines)
