"""A bare HTTP/1.1 connection that sends exactly the bytes a test wants, and reads replies one by one."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any, Self

import orjson


@dataclass(frozen=True)
class RawReply:
    """One reply as it came over the connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Connection:
    """A connection to a server on the loopback interface; use it as a context manager."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send these bytes."""
        self._socket.sendall(data)

    def reply(self) -> RawReply:
        """The next reply; raises EOFError when the server closed the connection instead."""
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self._buffer) < length:
            self._fill()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return RawReply(int(status_line.split()[1]), headers, body)

    def is_closed(self) -> bool:
        """Wait for what comes next: true when the server closed the connection in order, without a reset."""
        return self._buffer == b"" and self._socket.recv(1) == b""

    def _fill(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise EOFError("the server closed the connection")
        self._buffer += data


def request(body: bytes, *header_lines: str, path: str = "/webhook") -> bytes:
    """A POST with this body and its content-length; header lines are sent as they are, in latin-1."""
    return head(f"Content-Length: {len(body)}", *header_lines, path=path) + body


def head(*header_lines: str, path: str = "/webhook") -> bytes:
    """The head of a POST with these header lines and no others but Host."""
    lines = [f"POST {path} HTTP/1.1", "Host: receiver", *header_lines, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a body in chunked transfer encoding; an empty one ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
