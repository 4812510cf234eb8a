"""Reading a body: whole, up to the cap, and no further."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest
from starlette.types import Message

from ingest.admission import (
    BodyStalled,
    BodyTooLarge,
    ClientDisconnected,
    declared_length,
    discard_rest,
    read_body,
)


class _Body:
    """A client that sends these chunks and then, unless the last one ended the body, disconnects.

    A slow one makes its reader wait for every chunk, and for ever after the last.
    """

    def __init__(self, *chunks: bytes, ends: bool = True, slow: bool = False) -> None:
        self.left = deque(chunks)
        self.ends = ends
        self.slow = slow
        self.abandoned = False

    async def __call__(self) -> Message:
        if self.slow:
            await asyncio.sleep(0)
            if not self.left:
                await self._for_ever()
        if not self.left:
            return {"type": "http.disconnect"}
        chunk = self.left.popleft()
        return {"type": "http.request", "body": chunk, "more_body": bool(self.left) or not self.ends}

    async def _for_ever(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.abandoned = True


def _read(body: _Body, declared: int | None = None, max_bytes: int = 10) -> bytes:
    return asyncio.run(read_body(body, declared, max_bytes, timeout_seconds=30))


@pytest.mark.parametrize(
    "chunks",
    [(b"0123456789",), (b"01234", b"56789"), (b"", b"0123456789", b""), tuple(b"%d" % n for n in range(10))],
)
@pytest.mark.parametrize("slow", [False, True])
def test_a_body_of_exactly_the_cap_is_read_whole_however_it_is_cut(
    chunks: tuple[bytes, ...], slow: bool
) -> None:
    assert _read(_Body(*chunks, slow=slow)) == b"0123456789"


def test_a_declared_length_past_the_cap_is_refused_before_anything_is_read() -> None:
    body = _Body(b"0123456789a")
    with pytest.raises(BodyTooLarge) as refused:
        _read(body, declared=11)
    assert refused.value.bytes_read == 0
    assert len(body.left) == 1


@pytest.mark.parametrize("chunks", [(b"0123456789a", b"rest"), (b"01234", b"56789a", b"rest")])
@pytest.mark.parametrize("slow", [False, True])
def test_an_undeclared_body_is_refused_with_the_chunk_that_passes_the_cap(
    chunks: tuple[bytes, ...], slow: bool
) -> None:
    body = _Body(*chunks, slow=slow)
    with pytest.raises(BodyTooLarge) as refused:
        _read(body)
    assert refused.value.bytes_read == 11
    assert list(body.left) == [b"rest"]


@pytest.mark.parametrize("body", [_Body(), _Body(b"01", ends=False), _Body(b"01", b"23", ends=False)])
def test_a_client_that_leaves_in_mid_body_is_noticed(body: _Body) -> None:
    with pytest.raises(ClientDisconnected):
        _read(body)


@pytest.mark.parametrize("chunks", [(), (b"01",), (b"01", b"23")])
def test_a_body_that_stalls_is_given_up_and_nothing_waits_for_it_any_more(chunks: tuple[bytes, ...]) -> None:
    body = _Body(*chunks, ends=False, slow=True)

    async def read() -> None:
        with pytest.raises(BodyStalled) as stalled:
            await read_body(body, None, 10, timeout_seconds=0.01)
        assert stalled.value.bytes_read == sum(map(len, chunks))
        assert body.abandoned

    asyncio.run(asyncio.wait_for(read(), timeout=30))


def test_a_body_that_keeps_coming_is_given_up_at_the_same_moment() -> None:
    async def drip() -> Message:
        await asyncio.sleep(0.001)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(BodyStalled) as stalled:
        asyncio.run(asyncio.wait_for(read_body(drip, None, 10**9, timeout_seconds=0.05), timeout=30))
    assert stalled.value.bytes_read > 1


def test_reading_that_is_cancelled_before_anything_came_ends_the_waiting_too() -> None:
    body = _Body(slow=True)

    async def cancel() -> None:
        reading = asyncio.create_task(read_body(body, None, 10, timeout_seconds=30))
        for _ in range(3):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert body.abandoned

    asyncio.run(cancel())


def test_a_body_that_is_there_costs_no_timer() -> None:
    async def read() -> bytes:
        loop = asyncio.get_running_loop()
        loop.call_at = None  # type: ignore[method-assign,assignment]  # what every timer is made by
        return await read_body(_Body(b"01234"), None, 10, timeout_seconds=30)

    assert asyncio.run(read()) == b"01234"


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (None, None),
        (b"0", 0),
        (b"1048576", 1_048_576),
        (b"", None),
        (b"ten", None),
        (b"\xff", None),
        (b"9" * 5000, None),
    ],
)
def test_a_length_that_is_no_number_declares_nothing(header: bytes | None, length: int | None) -> None:
    assert declared_length(header) == length


def test_the_rest_of_a_body_is_dropped_until_it_ends() -> None:
    body = _Body(b"a", b"b", b"c")
    asyncio.run(discard_rest(body, seconds=30))
    assert not body.left


def test_a_client_that_neither_ends_nor_leaves_is_not_waited_for() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    asyncio.run(asyncio.wait_for(discard_rest(never, seconds=0), timeout=30))
