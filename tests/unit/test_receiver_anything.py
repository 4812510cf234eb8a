"""Any bytes, in any pieces, under any headers: always an answer, and only what was accepted in the log."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.asgi_calls import AUTHENTIC, EVENT, KEY, Caller, post, receiver
from tests.unit.memory_log import MemoryLog

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@UNHURRIED
@given(body=st.binary(max_size=300) | st.text().map(str.encode) | st.just(EVENT))
def test_any_bytes_are_answered_and_an_accepted_body_is_logged_as_it_is(body: bytes) -> None:
    log = MemoryLog()
    reply = post(receiver(log, max_body_bytes=200), body)
    assert reply.status in {200, 400, 413}
    assert [record.value for record in log.events] == ([body] if reply.status == 200 else [])
    assert len(log.records) == 1


@UNHURRIED
@given(
    chunks=st.lists(st.binary(max_size=40), max_size=8),
    declared=st.none() | st.integers(0, 300).map(lambda n: b"%d" % n) | st.binary(max_size=5),
)
def test_any_chunks_are_answered_like_the_body_they_make(chunks: list[bytes], declared: bytes | None) -> None:
    log = MemoryLog()
    length = [] if declared is None else [(b"content-length", declared)]
    caller = Caller([*chunks, b""], [*AUTHENTIC, *length])
    reply = asyncio.run(caller.call(receiver(log, max_body_bytes=100)))
    assert reply.status in {200, 400, 413}
    assert reply.complete
    if len(b"".join(chunks)) > 100:
        assert reply.status == 413


HEADER_NAMES = st.sampled_from(
    [b"x-api-key", b"x-user-id", b"content-type", b"content-length", b"host"]
) | st.binary(max_size=8)


@UNHURRIED
@given(
    st.lists(st.tuples(HEADER_NAMES, st.binary(max_size=40) | st.just(KEY.encode())), max_size=8),
    st.sampled_from([EVENT, b"{}"]),
)
def test_any_headers_are_answered_and_the_user_is_kept_as_sent(
    headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    log = MemoryLog()
    reply = asyncio.run(Caller([body], headers).call(receiver(log)))
    assert reply.status in {200, 401, 413}
    (record,) = log.records
    assert record.headers.get("user_id") == dict(headers).get(b"x-user-id")
    assert record.headers.get("content_type") == dict(headers).get(b"content-type")
