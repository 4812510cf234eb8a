"""Reading a body: whole, up to the cap, and no further."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest
from starlette.types import Message

from ingest.admission import BodyTooLarge, ClientDisconnected, declared_length, discard_rest, read_body


class _Body:
    """A client that sends these chunks and then, unless the last one ended the body, disconnects."""

    def __init__(self, *chunks: bytes, ends: bool = True) -> None:
        self.left = deque(chunks)
        self.ends = ends

    async def __call__(self) -> Message:
        if not self.left:
            return {"type": "http.disconnect"}
        chunk = self.left.popleft()
        return {"type": "http.request", "body": chunk, "more_body": bool(self.left) or not self.ends}


def _read(body: _Body, declared: int | None = None, max_bytes: int = 10) -> bytes:
    return asyncio.run(read_body(body, declared, max_bytes))


@pytest.mark.parametrize(
    "chunks",
    [(b"0123456789",), (b"01234", b"56789"), (b"", b"0123456789", b""), tuple(b"%d" % n for n in range(10))],
)
def test_a_body_of_exactly_the_cap_is_read_whole_however_it_is_cut(chunks: tuple[bytes, ...]) -> None:
    assert _read(_Body(*chunks)) == b"0123456789"


def test_a_declared_length_past_the_cap_is_refused_before_anything_is_read() -> None:
    body = _Body(b"0123456789a")
    with pytest.raises(BodyTooLarge) as refused:
        _read(body, declared=11)
    assert refused.value.bytes_read == 0
    assert len(body.left) == 1


@pytest.mark.parametrize("chunks", [(b"0123456789a", b"rest"), (b"01234", b"56789a", b"rest")])
def test_an_undeclared_body_is_refused_with_the_chunk_that_passes_the_cap(chunks: tuple[bytes, ...]) -> None:
    body = _Body(*chunks)
    with pytest.raises(BodyTooLarge) as refused:
        _read(body)
    assert refused.value.bytes_read == 11
    assert list(body.left) == [b"rest"]


@pytest.mark.parametrize("body", [_Body(), _Body(b"01", ends=False), _Body(b"01", b"23", ends=False)])
def test_a_client_that_leaves_in_mid_body_is_noticed(body: _Body) -> None:
    with pytest.raises(ClientDisconnected):
        _read(body)


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
