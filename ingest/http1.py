"""uvicorn's HTTP/1.1 protocol, which here bounds the heads of calls and ignores offers to upgrade."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import httptools
import orjson
from starlette.types import Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ingest.admission import discard_rest
from ingest.one_write import OneWrite
from ingest.records import Reason, Receipt
from ingest.refusals import REFUSALS

REFUSE_HEAD: Final = "refuse_head"
"""Key of the lifespan state under which an application leaves what answers refused heads: a HeadRefusal."""
HeadRefusal = Callable[[Reason, Scope, Receive, Send], Awaitable[None]]
"""An ASGI application told first why: HEADERS_TOO_LARGE, or BODY_STALLED where a head did not come in time.

The scope has what arrived of the head: a path of at most MAX_PATH_BYTES, and as many headers as there were.
"""
MAX_PATH_BYTES: Final = 1024
LINGER_SECONDS: Final = 2.0


class Http1Protocol(HttpToolsProtocol):
    """Answers 431 to heads of more than `h11_max_incomplete_event_size` bytes, and 408 to those that stall.

    It also answers a call that offers `Upgrade: h2c`, as Java's client does by default, like any other call;
    as it is, uvicorn loses the body behind the offer. The parser takes the head of such a call for the end of
    HTTP/1.1. The head is given to it a second time without the offer, and only then does uvicorn hear of it.
    """

    # Of the call that is arriving, and of the last one whose head was complete; None before the first.
    scope: Any
    cycle: Any

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.parser = _Parser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._max_head_bytes = config.h11_max_incomplete_event_size or 2**16
        self._is_between_calls = True
        self._is_deaf = False
        self._read_bytes = 0
        self._unread_bytes = 0
        self._has_body_come = False
        self._waiting_for: object = None
        self._waiting_since = 0.0

    def data_received(self, data: bytes) -> None:
        """Parse what was read, unless the connection only waits for its end."""
        if self._is_deaf:
            return
        self._read_bytes = len(data)
        scope_before = self.scope
        super().data_received(data)
        cycle = self.cycle
        if cycle is not None and cycle.scope is self.scope and not cycle.more_body:
            self._is_between_calls = True
            self._unread_bytes = 0
        else:
            self._weigh_unread(scope_before)

    def on_headers_complete(self) -> None:
        """Start the call, unless its head is too large or will come again."""
        if self.offers_upgrade():
            return
        may_be_large = self._unread_bytes + self._read_bytes > self._max_head_bytes
        if may_be_large and self._head_bytes() > self._max_head_bytes:
            self._refuse(Reason.HEADERS_TOO_LARGE)
        else:
            super().on_headers_complete()
            # A reply to HEAD has no body to wait for.
            if self.scope["method"] != "HEAD":
                self.cycle.transport = OneWrite(self.cycle, self.transport)
        # Trailers of a chunked body are parsed as headers: they must not become headers of the call.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """Take in a piece of the body."""
        self._has_body_come = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the body of the call, unless its head will come again."""
        if not self.offers_upgrade():
            super().on_message_complete()

    def look_after(self, now: float, patience_seconds: float) -> None:
        """Refuse a call whose head has been arriving for too long; `now` in seconds of any clock.

        To be called every now and then: a call that comes at once is then never the cause of a timer. Closes
        the connection where a call that was answered keeps sending, which leaves uvicorn's timer unset.
        """
        cycle = self.cycle
        is_head_open = cycle is None or cycle.scope is not self.scope
        waiting_for: object = None
        if self._is_deaf or self.flow.read_paused or self.transport.is_closing():
            pass
        elif is_head_open:
            waiting_for = self.scope or self
        elif cycle.response_complete and self.timeout_keep_alive_task is None:
            waiting_for = cycle
        if waiting_for is not self._waiting_for:
            self._waiting_for, self._waiting_since = waiting_for, now
        elif waiting_for is None or now - self._waiting_since < patience_seconds:
            return
        elif is_head_open:
            self._refuse_unfinished(Reason.BODY_STALLED)
        else:
            self.transport.close()

    def _weigh_unread(self, scope_before: object) -> None:
        """Count the bytes of a head or of trailers: they are not seen before they are whole."""
        if self.cycle is None or self.cycle.scope is not self.scope:
            if self.scope is scope_before:
                self._unread_bytes += self._read_bytes
            else:
                # Behind the end of another call, how much of the read is head can not be told.
                self._unread_bytes = self._read_bytes if self._is_between_calls else 0
            if self._unread_bytes > self._max_head_bytes:
                self._refuse_unfinished(Reason.HEADERS_TOO_LARGE)
        elif self._has_body_come:
            self._unread_bytes = 0
        else:
            self._unread_bytes += self._read_bytes
            if self._unread_bytes > self._max_head_bytes:
                self._is_deaf = True
                self.transport.close()
        self._has_body_come = False
        self._is_between_calls = False

    def _head_bytes(self) -> int:
        first_line = len(self.parser.get_method()) + len(self.url) + len(b"  HTTP/1.1\r\n")
        fields = sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)
        return first_line + fields + len(b"\r\n")

    def _refuse_unfinished(self, reason: Reason) -> None:
        self._is_deaf = True
        if self.scope is None:
            self.on_message_begin()
        self._refuse(reason)

    def _refuse(self, reason: Reason) -> None:
        """Make a call of the head as far as it came, in its turn after the calls before it, and the last."""
        self.url = _parsable(self.url[:MAX_PATH_BYTES])
        app = self.app
        self.app = partial(_refuse_then_listen, self.app_state.get(REFUSE_HEAD, refuse_head), reason)
        try:
            super().on_headers_complete()
        finally:
            self.app = app
        self.cycle.keep_alive = False

    def head_without_offer(self) -> bytes:
        """The head that was just parsed, without its Upgrade header."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def offers_upgrade(self) -> bool:
        """Whether the head that was just parsed has an Upgrade header that the parser obeys."""
        # should_upgrade is also true of CONNECT, which needs no Upgrade header.
        return self.parser.should_upgrade() and any(name == b"upgrade" for name, _ in self.headers)


class _Parser(httptools.HttpRequestParser):
    def __init__(self, protocol: Http1Protocol) -> None:
        super().__init__(protocol)
        self._protocol = protocol

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # uvicorn feeds bytes and no others
        while True:
            try:
                super().feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if not self._protocol.offers_upgrade():
                    raise
                data = self._protocol.head_without_offer() + data[upgrade.args[0] :]
            else:
                return


async def refuse_head(reason: Reason, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a refused head; what happens where an application leaves nothing under REFUSE_HEAD."""
    del scope, receive
    status, message, _ = REFUSALS[reason]
    body = orjson.dumps({"error": reason, "message": message, "receipt_id": Receipt.now().receipt_id})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _refuse_then_listen(
    refuse: HeadRefusal, reason: Reason, scope: Scope, receive: Receive, send: Send
) -> None:
    """Let the refusal answer, and close only when who sends too much has had the time to read it."""

    async def send_and_listen(message: Message) -> None:
        is_end = message["type"] == "http.response.body" and not message.get("more_body", False)
        if is_end and reason is Reason.HEADERS_TOO_LARGE:
            await send({**message, "more_body": True})
            await discard_rest(receive, LINGER_SECONDS)
            message = {"type": "http.response.body"}
        await send(message)

    await refuse(reason, scope, receive, send_and_listen)


def _parsable(url: bytes) -> bytes:
    try:
        return url if httptools.parse_url(url).path else b"/"
    except httptools.HttpParserInvalidURLError:
        return b"/"
