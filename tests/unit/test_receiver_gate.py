"""The checks of a call in their order, each as its caller meets it, on a log in memory."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from ingest.receiver import Receiver
from ingest.records import Reason
from tests.unit.asgi_calls import AUTHENTIC, EVENT, Caller, HeaderList, Reply, post, receiver
from tests.unit.memory_log import MemoryLog
from tests.unit.signed_calls import OTHER_SECRET, SECRET, signed
from tests.unit.users_files import written

WRONG_KEY: HeaderList = ((b"x-api-key", b"wrong"),)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


def _signed(body: bytes = EVENT, secret: str = SECRET, age_seconds: int = 0) -> HeaderList:
    return [*AUTHENTIC, *signed(secret, body, int(time.time()) - age_seconds).items()]


def _turned_away(log: MemoryLog, reply: Reply, status: int, reason: Reason, kept: bytes = b"") -> None:
    assert (reply.status, reply.json["error"]) == (status, reason)
    attempt = log.attempts[-1]
    assert (attempt.headers["reason"], attempt.headers["status"]) == (reason.encode(), b"%d" % status)
    assert (attempt.headers["receipt_id"], attempt.value) == (reply.json["receipt_id"].encode(), kept)


def _user(name: bytes) -> HeaderList:
    return [*AUTHENTIC, (b"x-user-id", name)]


def test_a_signed_call_is_accepted_and_its_record_says_so(log: MemoryLog) -> None:
    app = receiver(log, signing_secrets=SECRET)
    assert post(app, EVENT, _signed()).status == post(app).status == 200
    assert [record.headers["signature"] for record in log.events] == [b"valid", b"none"]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (AUTHENTIC, Reason.MISSING_SIGNATURE),
        (_signed(age_seconds=3600), Reason.STALE_SIGNATURE),
        (_signed(secret=OTHER_SECRET), Reason.WRONG_SIGNATURE),
        (_signed(body=b"{}"), Reason.WRONG_SIGNATURE),
    ],
)
def test_a_call_without_a_right_signature_gets_401_and_its_body_is_not_kept(
    log: MemoryLog, headers: HeaderList, reason: Reason
) -> None:
    reply = post(receiver(log, signing_secrets=SECRET, signatures="required"), EVENT, headers)
    _turned_away(log, reply, 401, reason)
    assert reply.headers[b"www-authenticate"].startswith(b"ApiKey")


def test_a_compressed_body_is_signed_as_it_is_sent_and_stored_as_it_was(log: MemoryLog) -> None:
    sent = gzip.compress(EVENT)
    caller = receiver(log, signing_secrets=SECRET, signatures="required")
    # The oracle signs text only, and a gzip stream is none: an unsigned receiver takes the same bytes.
    assert post(caller, sent, [*_signed(), (b"content-encoding", b"gzip")]).status == 401
    assert post(receiver(log), sent, [*AUTHENTIC, (b"content-encoding", b"gzip")]).status == 200
    (record,) = log.events
    assert record.value == EVENT
    assert record.headers["content_encoding"] == b"gzip"
    assert record.headers["body_bytes"] == b"%d" % len(sent)


def test_a_body_that_came_as_it_is_says_nothing_of_compression(log: MemoryLog) -> None:
    post(receiver(log), EVENT, [*AUTHENTIC, (b"content-encoding", b"identity")])
    assert log.events[0].headers.keys() & {"content_encoding", "body_bytes"} == set()


@pytest.mark.parametrize(
    ("encoding", "body", "status", "reason"),
    [
        (b"br", EVENT, 415, Reason.UNSUPPORTED_ENCODING),
        (b"gzip", EVENT, 400, Reason.BODY_NOT_GZIP),
        (b"gzip", gzip.compress(b" " * 2**21), 413, Reason.BODY_TOO_LARGE),
    ],
)
def test_a_body_that_can_not_be_decompressed_is_refused_and_kept_as_it_came(
    log: MemoryLog, encoding: bytes, body: bytes, status: int, reason: Reason
) -> None:
    reply = post(receiver(log), body, [*AUTHENTIC, (b"content-encoding", encoding)])
    _turned_away(log, reply, status, reason, kept=body)


def test_only_known_users_come_in_when_that_is_asked(log: MemoryLog, tmp_path: Path) -> None:
    app = receiver(log, known_users_only=True, users_file=written(tmp_path / "users.csv"))
    assert post(app, EVENT, _user(b"ada")).status == 200
    _turned_away(log, post(app, EVENT, _user(b"eve")), 403, Reason.UNKNOWN_USER)
    _turned_away(log, post(app), 403, Reason.MISSING_USER_ID)


def test_a_body_of_another_user_is_accepted_unless_that_is_to_be_refused(log: MemoryLog) -> None:
    assert post(receiver(log), EVENT, _user(b"user-2")).status == 200
    strict = receiver(log, user_mismatch="refused")
    _turned_away(log, post(strict, EVENT, _user(b"user-2")), 403, Reason.USER_MISMATCH, kept=EVENT)
    assert post(strict, EVENT, _user(b"user-1")).status == post(strict).status == 200
    assert post(strict, b'{"session_id":"s"}', _user(b"user-2")).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"user_id":"user-2","user_id":"user-1"}',
        b'{"user_id":"user-1","data":{"user_id":"user-2","user_id":"user-1"}}',
        b'{"user_id":"user-2","data":{},"callback_data":{"user_id":"user-1"}}',
        b'{"user_id":"' + b"u" * 1025 + b'"}',
        b'{"user_id":7}',
    ],
    ids=["twice", "twice further in", "an empty part before another", "too long", "no string"],
)
def test_no_body_gets_another_user_past_a_receiver_that_refuses_mismatches(
    log: MemoryLog, body: bytes
) -> None:
    strict = receiver(log, user_mismatch="refused")
    _turned_away(log, post(strict, body, _user(b"user-1")), 403, Reason.USER_MISMATCH, kept=body)
    assert post(receiver(log), body, _user(b"user-1")).status == 200


def test_a_turned_away_body_keeps_what_was_found_out_of_it(log: MemoryLog) -> None:
    app = receiver(log, signing_secrets=SECRET)
    post(app, b"[]", _signed(b"[]"))
    post(app, gzip.compress(b"[]"), [*AUTHENTIC, (b"content-encoding", b"gzip")])
    post(app, b"[]", [*AUTHENTIC, (b"content-encoding", b"Br")])
    found = [(record.headers["signature"], record.headers.get("content_encoding")) for record in log.attempts]
    assert found == [(b"valid", None), (b"none", b"gzip"), (b"none", b"br")]
    assert [record.value for record in log.attempts] == [b"[]"] * 3


@pytest.mark.parametrize("limit", ["rate_limit_per_address", "rate_limit_per_key"])
def test_a_caller_over_its_limit_gets_429_and_when_to_come_back_before_its_body_is_read(
    log: MemoryLog, limit: str
) -> None:
    app = receiver(log, **{limit: "2/hour"})
    assert [post(app).status for _ in range(2)] == [200, 200]
    caller = Caller([EVENT], [*AUTHENTIC, (b"content-length", b"%d" % len(EVENT))])
    reply = asyncio.run(caller.call(app))
    _turned_away(log, reply, 429, Reason.RATE_LIMITED)
    assert 3500 < int(reply.headers[b"retry-after"]) <= 3600
    assert caller.received == 0


def test_strangers_use_up_the_limit_of_their_address_and_never_that_of_a_key(log: MemoryLog) -> None:
    by_address, by_key = (
        receiver(log, rate_limit_per_address="1/hour"),
        receiver(log, rate_limit_per_key="1/hour"),
    )
    assert [post(by_address, EVENT, WRONG_KEY).status for _ in range(2)] == [401, 429]
    assert [post(by_key, EVENT, WRONG_KEY).status for _ in range(2)] == [401, 401]
    assert [post(by_key).status for _ in range(2)] == [200, 429]
    # Spaces around a key do not make it another.
    assert post(by_key, EVENT, [(b"x-api-key", b" " + AUTHENTIC[0][1] + b" ")]).status == 429


def test_a_body_that_never_comes_to_its_end_gets_408_and_its_connection_is_closed(log: MemoryLog) -> None:
    app = receiver(log, body_timeout_seconds=0.05)
    reply = _stall(app, EVENT[:10])
    _turned_away(log, reply, 408, Reason.BODY_STALLED)
    assert reply.headers[b"connection"] == b"close"
    assert log.attempts[0].headers["body_bytes"] == b"10"


def _stall(app: Receiver, first: bytes) -> Reply:
    """A call that sends its first piece of body, and then nothing more."""

    async def scenario() -> Reply:
        caller = Caller([])
        pieces: list[Message] = [{"type": "http.request", "body": first, "more_body": True}]

        async def receive() -> Message:
            if pieces:
                return pieces.pop()
            never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
            return await never

        async def send(message: Message) -> None:
            caller.reply.messages.append(message)

        await app(caller.scope(), receive, send)
        return caller.reply

    return asyncio.run(scenario())


def test_a_refused_head_is_answered_and_recorded_like_any_other_refusal(
    log: MemoryLog, tmp_path: Path
) -> None:
    app = receiver(log, data_dir=tmp_path)
    reply = Reply()

    async def scenario() -> None:
        async with app.router.lifespan_context(app) as state:
            assert isinstance(state, dict)
            refuse: Callable[..., Awaitable[None]] = state["refuse_head"]

            async def send(message: Message) -> None:
                reply.messages.append(message)

            await refuse(Reason.HEADERS_TOO_LARGE, Caller([]).scope(), _nothing, send)

    asyncio.run(scenario())
    _turned_away(log, reply, 431, Reason.HEADERS_TOO_LARGE)


async def _nothing() -> Any:
    raise AssertionError("of a refused head no body is read")
