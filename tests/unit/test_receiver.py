"""What the receiver does with a call that it accepts, on a log in memory."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from pathlib import Path

import pytest

from ingest.authentication import NoApiKeys
from ingest.receiver import create_app
from ingest.records import partition_key
from ingest.server import serve
from tests.unit.asgi_calls import AUTHENTIC, EVENT, Caller, HeaderList, post, receiver, receiver_settings
from tests.unit.memory_log import MemoryLog


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.mark.parametrize("path", ["/webhook", "/asleep-webhook"])
def test_an_accepted_body_is_in_the_log_byte_for_byte_with_its_headers(log: MemoryLog, path: str) -> None:
    body = b' {"event" : "INFERENCE_COMPLETE", "user_id":"user-1",\n"session_id":"session-1"} '
    sent: HeaderList = [*AUTHENTIC, (b"x-user-id", b"sent-user"), (b"content-type", b"application/json")]
    before = time.time_ns() // 1000
    reply = post(receiver(log), body, sent, path)
    after = time.time_ns() // 1000

    assert reply.status == 200
    assert reply.headers[b"content-type"] == b"application/json"
    assert reply.headers[b"content-length"] == b"%d" % len(reply.body)
    assert reply.json.keys() == {"status", "receipt_id"}
    assert reply.json["status"] == "received"
    (record,) = log.records
    assert (record.topic, record.value) == ("asleep.events", body)
    assert record.key == partition_key("user-1", "session-1")
    assert before <= int(record.headers.pop("received_at")) <= after
    assert record.headers == {
        "receipt_id": reply.json["receipt_id"].encode(),
        "user_id": b"sent-user",
        "event": b"INFERENCE_COMPLETE",
        "session_id": b"session-1",
        "remote_address": b"192.0.2.7",
        "content_type": b"application/json",
        "path": path.encode(),
        "signature": b"none",
        "envelope": b"1",
    }


def test_headers_that_were_not_sent_or_not_told_are_absent(log: MemoryLog) -> None:
    assert post(receiver(log), b"{}").status == 200
    assert log.events[0].headers.keys() == {
        "receipt_id",
        "received_at",
        "remote_address",
        "path",
        "signature",
        "envelope",
    }
    assert log.events[0].key == partition_key("", "")


def test_the_header_names_the_user_of_the_key_where_the_body_does_not(log: MemoryLog) -> None:
    body = b'{"event":"INFERENCE_COMPLETE","session_id":"session-1","user_id":7}'
    post(receiver(log), body, [*AUTHENTIC, (b"x-user-id", "müller".encode())])
    assert log.events[0].key == partition_key("müller", "session-1")


def test_headers_in_latin_1_are_kept_in_utf8_as_every_record_is(log: MemoryLog) -> None:
    headers = [(b"x-user-id", b"M\xfcller"), (b"content-type", b"text/caf\xe9")]
    assert post(receiver(log), b"{}", [*AUTHENTIC, *headers]).status == 200
    (record,) = log.events
    assert record.headers["user_id"].decode() == "Müller"
    assert record.headers["content_type"].decode() == "text/café"
    assert record.key == partition_key("Müller", "")


def test_spaces_around_a_user_header_are_not_part_of_the_user(log: MemoryLog) -> None:
    strict = receiver(log, user_mismatch="refused")
    assert post(strict, EVENT, [*AUTHENTIC, (b"x-user-id", b" \tuser-1\t ")]).status == 200
    assert log.events[0].headers["user_id"] == b"user-1"


def test_an_empty_user_header_is_kept_as_sent(log: MemoryLog) -> None:
    post(receiver(log), EVENT, [*AUTHENTIC, (b"x-user-id", b"")])
    assert log.events[0].headers["user_id"] == b""


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":"SOMETHING_NEW","user_id":"u","session_id":"s"}',
        b'{"event":null,"data":[],"session":"s","callback_data":{"session":7}}',
        b'{"event":{"a":1},"session_id":["s"],"user_id":1.5}',
        b'{"event":"INFERENCE_COMPLETE","sleep_stages":[7,"x",null,[[]]]}',
        b'{"event":"\\u0000","session_id":"a\\u0000b"}',
        b'{"deep":' + b"[" * 1000 + b"]" * 1000 + b"}",
        json.dumps({"session_id": "s" * 100_000, "event": "e" * 100_000}).encode(),
    ],
    ids=["unknown event", "wrong types", "names no strings", "odd stages", "NUL", "deep", "endless names"],
)
def test_an_authentic_object_is_never_refused_for_its_shape(log: MemoryLog, body: bytes) -> None:
    assert post(receiver(log), body).status == 200
    assert [record.value for record in log.events] == [body]


def test_the_reply_waits_for_the_acknowledgement(log: MemoryLog) -> None:
    log.holding = True

    async def scenario() -> None:
        caller = Caller([EVENT])
        call = asyncio.create_task(caller.call(receiver(log)))
        for _ in range(100):
            await asyncio.sleep(0)
        assert [record.value for record in log.records] == [EVENT]
        assert caller.reply.messages == []
        log.release()
        assert (await call).status == 200

    asyncio.run(asyncio.wait_for(scenario(), timeout=30))


def test_receipt_ids_are_unique_and_in_the_order_of_arrival(log: MemoryLog) -> None:
    app = receiver(log)

    async def scenario() -> list[str]:
        return [(await Caller([EVENT]).call(app)).json["receipt_id"] for _ in range(2000)]

    receipts = asyncio.run(scenario())
    assert receipts == sorted(set(receipts))
    assert {uuid.UUID(receipt).version for receipt in receipts} == {7}
    assert [record.headers["receipt_id"].decode() for record in log.events] == receipts


def test_without_a_key_nothing_is_made_and_nothing_is_served(log: MemoryLog) -> None:
    with pytest.raises(NoApiKeys, match="ASLEEP_API_KEYS"):
        create_app(receiver_settings(api_keys=""), log=log)
    with pytest.raises(NoApiKeys, match="ASLEEP_API_KEYS"):
        serve(receiver_settings(api_keys=""), workers=1)


def test_the_log_is_started_with_the_application_and_closed_at_its_end(
    log: MemoryLog, tmp_path: Path
) -> None:
    app = receiver(log, data_dir=tmp_path)
    assert not log.started

    async def scenario() -> None:
        async with app.router.lifespan_context(app):
            assert log.started
            assert not log.closed
        assert log.closed

    asyncio.run(scenario())
