"""Sends the head of a reply together with its first piece of body: one system call, and one packet."""

from __future__ import annotations

from typing import Protocol


class ReplyTransport(Protocol):
    """What uvicorn's cycle of a request and its response uses of a transport."""

    def write(self, data: bytes) -> None:
        """Send bytes, or keep them until they can be sent."""
        ...

    def close(self) -> None:
        """Close once everything is sent."""
        ...

    def is_closing(self) -> bool:
        """Whether it was closed, by whichever side."""
        ...


class Cycle(Protocol):
    """As much of uvicorn's cycle as tells the reply from what comes before it, such as 100 Continue."""

    @property
    def response_started(self) -> bool:
        """Whether the head of the reply was asked for."""
        ...


class OneWrite:
    """The transport of one cycle, which holds the head back until a piece of the body, or the end, comes.

    ASGI allows that, and asks for it: the head need not be sent before there is a body to it.
    """

    __slots__ = ("_cycle", "_head", "_transport")

    def __init__(self, cycle: Cycle, transport: ReplyTransport) -> None:
        # Cut once the head is held: a ring of references would be left for the garbage collector.
        self._cycle: Cycle | None = cycle
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Hold the head; send whatever comes before it or after it."""
        if self._head is not None:
            data = self._head + data
            self._head = None
        elif self._cycle is not None and self._cycle.response_started:
            self._cycle = None
            self._head = data
            return
        self._transport.write(data)

    def close(self) -> None:
        """Send what is held, and close."""
        if self._head is not None:
            self.write(b"")
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection was closed, by whichever side."""
        return self._transport.is_closing()
