"""Reads the body of a call as it arrives: never more of it than a cap allows, nor for longer than a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from types import coroutine
from typing import Any, Final

from starlette.types import Message, Receive

LINGER_SECONDS: Final = 2.0
"""How long a caller who is still sending may take to read a refusal."""


class BodyTooLarge(Exception):
    """The body is larger than the cap; `bytes_read` of it had arrived when that was known."""

    def __init__(self, bytes_read: int) -> None:
        super().__init__(f"body larger than the cap, {bytes_read} bytes read")
        self.bytes_read = bytes_read


class BodyStalled(Exception):
    """The body was not complete in time; `bytes_read` of it had arrived by then."""

    def __init__(self, bytes_read: int) -> None:
        super().__init__(f"body not complete in time, {bytes_read} bytes read")
        self.bytes_read = bytes_read


class ClientDisconnected(Exception):
    """The client went away before its body was complete."""


def declared_length(content_length: bytes | None) -> int | None:
    """Bytes of body that a content-length header announces; None when it announces none."""
    if content_length is None:
        return None
    try:
        return int(content_length)
    except ValueError:
        return None


async def read_body(receive: Receive, declared: int | None, max_bytes: int, timeout_seconds: float) -> bytes:
    """Read the whole body of an ASGI call.

    Raises BodyTooLarge past `max_bytes`, at once where the `declared` length says so, BodyStalled when the
    body is not complete after `timeout_seconds`, and ClientDisconnected when it ends early.
    """
    if declared is not None and declared > max_bytes:
        raise BodyTooLarge(0)
    # A timer costs ten times the rest of this, and most bodies are there before anybody asks for them: so
    # the first receive() is run up to where it would wait, and only from there on is there a timer.
    receiving = receive().__await__()
    try:
        awaited = next(receiving)
    except StopIteration as at_once:
        message: Message = at_once.value
        body, more = _chunk_of(message)
        if not more and len(body) <= max_bytes:
            return body
        return await _read_in_time(_given(message), receive, max_bytes, timeout_seconds)
    return await _read_in_time(_resumed(receiving, awaited), receive, max_bytes, timeout_seconds)


async def discard_rest(receive: Receive, seconds: float) -> None:
    """Read and drop what the client still sends, until it ends, goes away, or `seconds` have passed.

    Closing a connection on which bytes are still arriving resets it, and a reset can reach the client
    before it has read our reply.
    """
    try:
        async with asyncio.timeout(seconds):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        return


async def _read_in_time(
    first: Awaitable[Message], receive: Receive, max_bytes: int, timeout_seconds: float
) -> bytes:
    chunks = bytearray()
    more = True
    try:
        async with asyncio.timeout(timeout_seconds):
            message = await first
            while more:
                body, more = _chunk_of(message)
                if len(chunks) + len(body) > max_bytes:
                    raise BodyTooLarge(len(chunks) + len(body))
                chunks += body
                if more:
                    message = await receive()
    except TimeoutError:
        raise BodyStalled(len(chunks)) from None
    return bytes(chunks)


def _chunk_of(message: Message) -> tuple[bytes, bool]:
    if message["type"] == "http.disconnect":
        raise ClientDisconnected
    return message.get("body", b""), message.get("more_body", False)


async def _given(message: Message) -> Message:
    return message


@coroutine
def _resumed(begun: Generator[Any, Any, Message], awaited: object) -> Generator[Any, Any, Message]:
    """Await what was already run up to `awaited`, its first wait."""
    try:
        yield awaited
    except BaseException:
        begun.close()
        raise
    return (yield from begun)
