"""Reads the body of a call as it arrives, and never keeps more of it than the cap allows."""

from __future__ import annotations

import asyncio

from starlette.types import Receive


class BodyTooLarge(Exception):
    """The body is larger than the cap; `bytes_read` of it had arrived when that was known."""

    def __init__(self, bytes_read: int) -> None:
        super().__init__(f"body larger than the cap, {bytes_read} bytes read")
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


async def read_body(receive: Receive, declared: int | None, max_bytes: int) -> bytes:
    """Read the whole body of an ASGI call.

    Raises BodyTooLarge past `max_bytes`, at once where the `declared` length says so, and
    ClientDisconnected when the body ends early.
    """
    if declared is not None and declared > max_bytes:
        raise BodyTooLarge(0)
    body, more = await _next_chunk(receive)
    if len(body) > max_bytes:
        raise BodyTooLarge(len(body))
    if not more:
        return body
    chunks = bytearray(body)
    while more:
        chunk, more = await _next_chunk(receive)
        if len(chunks) + len(chunk) > max_bytes:
            raise BodyTooLarge(len(chunks) + len(chunk))
        chunks += chunk
    return bytes(chunks)


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


async def _next_chunk(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnected
    return message.get("body", b""), message.get("more_body", False)
