"""Any bytes, in any pieces, under any headers: always an answer, and only what was accepted in the log."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.asgi_calls import AUTHENTIC, EVENT, KEY, Caller, post, receiver
from tests.unit.memory_log import MemoryLog

CHARSETS = ("utf-8", "latin-1")
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
def test_any_headers_are_answered_and_kept_as_text_that_the_warehouse_can_read(
    headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    log = MemoryLog()
    reply = asyncio.run(Caller([body], headers).call(receiver(log)))
    assert reply.status in {200, 401, 413}
    (record,) = log.records
    for name, kept in ((b"x-user-id", "user_id"), (b"content-type", "content_type")):
        sent = dict(headers).get(name)
        found = record.headers.get(kept)
        assert (found is None) == (sent is None)
        if sent is not None and found is not None:
            assert found.decode() in {sent.strip(b" \t").decode(encoding, "replace") for encoding in CHARSETS}
