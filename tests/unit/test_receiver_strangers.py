"""Callers without a key, and calls beyond those that may be open: how little they can take up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message

from ingest.attempts.audit import RECORDS_PER_SECOND
from ingest.receiver import Receiver
from ingest.records import Reason
from ingest.spool.holding import held_bytes
from ingest.webhook import MAX_LINGERING
from tests.unit.asgi_calls import AUTHENTIC, EVENT, Caller, HeaderList, Reply, post, receiver
from tests.unit.memory_log import MemoryLog
from tests.unit.signed_calls import SECRET

WRONG_KEY: HeaderList = ((b"x-api-key", b"wrong"),)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


def test_of_a_stranger_little_is_written_down_and_of_an_authentic_caller_all(log: MemoryLog) -> None:
    long = [(b"x-user-id", "ü".encode() * 500), (b"content-type", b"x" * 1000)]
    post(receiver(log), b"[]", [*WRONG_KEY, *long])
    post(receiver(log), b"[]", [*AUTHENTIC, *long])
    unsigned = receiver(log, signing_secrets=SECRET, signatures="required")
    post(unsigned, b"[]", [*AUTHENTIC, *long])
    lengths = [
        (len(record.headers["user_id"]), len(record.headers["content_type"])) for record in log.attempts
    ]
    assert lengths == [(128, 128), (1000, 1000), (128, 128)]
    assert log.attempts[0].headers["user_id"].decode() == "ü" * 64


def test_what_strangers_can_write_in_a_day_is_what_is_told(log: MemoryLog) -> None:
    long = [(b"x-user-id", b"u" * 1024), (b"content-type", b"x" * 1024), *WRONG_KEY]
    caller = Caller([b""], long)
    scope = caller.scope()
    scope.update(client=("2001:db8:1111:2222:3333:4444:5555:6666", 1), path="/" + "p" * 1023)
    reply = Reply()

    async def send(message: Message) -> None:
        reply.messages.append(message)

    app = receiver(log)
    asyncio.run(app._webhook(scope, _nothing_more, send))
    assert reply.status == 401
    (record,) = log.attempts
    size = held_bytes(None, record.value, list(record.headers.items()))
    assert size * RECORDS_PER_SECOND * 86_400 <= 7e9


def _waiting(headers: HeaderList) -> tuple[Caller, Callable[[Receiver], Awaitable[None]], asyncio.Event]:
    """A call that sends no body, until it is told to leave."""
    caller, leaves = Caller([], headers), asyncio.Event()

    async def receive() -> Message:
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        caller.reply.messages.append(message)

    async def call(app: Receiver) -> None:
        await app(caller.scope(), receive, send)

    return caller, call, leaves


def test_strangers_who_wait_for_nothing_keep_nobody_out_and_are_not_waited_for_without_limit(
    log: MemoryLog,
) -> None:
    app = receiver(log, max_open_requests=1)

    async def scenario() -> None:
        callers = [_waiting(WRONG_KEY) for _ in range(MAX_LINGERING + 3)]
        tasks = [asyncio.ensure_future(call(app)) for _, call, _ in callers]
        await asyncio.wait(tasks, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert sum(caller.reply.complete for caller, _, _ in callers) == 3
        assert {caller.reply.status for caller, _, _ in callers} == {401}
        assert (await Caller([EVENT]).call(app)).status == 200
        assert app._webhook._metrics.in_flight == 0
        for _, _, leaves in callers:
            leaves.set()
        await asyncio.gather(*tasks)
        assert all(caller.reply.complete for caller, _, _ in callers)

    asyncio.run(scenario())


def test_a_call_beyond_those_that_may_be_open_gets_503_and_an_answered_one_makes_room(log: MemoryLog) -> None:
    app = receiver(log, max_open_requests=1)

    async def scenario() -> Reply:
        log.holding = True
        first = asyncio.create_task(Caller([EVENT]).call(app))
        await asyncio.sleep(0)
        log.holding = False
        second = await Caller([EVENT]).call(app)
        log.release()
        assert (await first).status == 200
        return second

    refused = asyncio.run(scenario())
    assert (refused.status, refused.json["error"]) == (503, Reason.TOO_MANY_OPEN_REQUESTS)
    assert log.attempts[0].headers["receipt_id"] == refused.json["receipt_id"].encode()
    assert int(refused.headers[b"retry-after"]) > 0
    assert post(app).status == 200


def test_a_call_too_many_is_not_waited_for(log: MemoryLog) -> None:
    app = receiver(log, max_open_requests=1)

    async def scenario() -> None:
        _, first, leaves = _waiting(AUTHENTIC)
        task = asyncio.ensure_future(first(app))
        await asyncio.sleep(0)
        second = Caller([], AUTHENTIC)
        reply = await second.call(app)
        assert (reply.status, reply.complete, second.received) == (503, True, 0)
        assert reply.headers[b"connection"] == b"close"
        leaves.set()
        await task

    asyncio.run(scenario())


async def _nothing_more() -> Message:
    return {"type": "http.disconnect"}
