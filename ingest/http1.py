"""uvicorn's HTTP/1.1 protocol, which here bounds what a connection costs, whatever comes over it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from ingest.flow import PatientFlow
from ingest.head_parser import HeadParser
from ingest.heads import parsable, refuse_head, refusing
from ingest.one_write import OneWrite
from ingest.records import Reason

REFUSE_HEAD: Final = "refuse_head"
"""Key of the lifespan state under which an application leaves what answers refused heads: a HeadRefusal."""
SLICE_BYTES: Final = 2048
MAX_LINES: Final = 64
"""The most that is parsed at once, either of them: it bounds the calls that begin in one go, and so wait."""
_NOTHING: Final = memoryview(b"")


class Http1Protocol(HttpToolsProtocol):
    """Answers 431 to heads of more than `h11_max_incomplete_event_size` bytes, and 408 to those that stall.

    What is no HTTP is a refused call like those, answered with 400. What comes behind a call that waits for
    its turn is neither parsed nor read before that turn. Offers to upgrade are ignored.
    """

    parser: HeadParser

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
        self.parser = HeadParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._max_head_bytes = config.h11_max_incomplete_event_size or 2**16
        self._in_turn: RequestResponseCycle | None = None
        self._unparsed = _NOTHING
        self._is_deaf = False
        self._slice_bytes = self._uncounted_bytes = self._unread_bytes = 0
        self._has_progressed = False
        self._waiting_for: object = None
        self._waiting_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin with a flow that knows of the calls that wait for their turn."""
        super().connection_made(transport)
        self.flow = PatientFlow(transport, self.pipeline)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the call whose turn it is, which uvicorn does only where it is also the newest."""
        if self._in_turn is not None and not self._in_turn.response_complete:
            self._in_turn.disconnected = True
            self._in_turn.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what was read as far as its calls can start, unless the connection only waits for its end."""
        if self._is_deaf:
            return
        if not self.pipeline and (len(data) <= SLICE_BYTES or _has_few_lines(data)):
            self._parse(data)
        else:
            self._unparsed = memoryview(b"".join((self._unparsed, data)))
            self._parse_on()

    def on_headers_complete(self) -> None:
        """Start the call, unless its head is too large or will come again."""
        if self.parser.offers_upgrade() or self._is_deaf:
            return
        self._has_progressed = True
        most = self._uncounted_bytes + self._unread_bytes + self._slice_bytes
        if most > self._max_head_bytes and self.parser.head_bytes() > self._max_head_bytes:
            self._refuse_head(Reason.HEADERS_TOO_LARGE)
        else:
            super().on_headers_complete()
            # A reply to HEAD has no body to wait for.
            if self.scope["method"] != "HEAD":
                self.cycle.transport = OneWrite(self.cycle, self.transport)
        # Trailers of a chunked body are parsed as headers: they must not become headers of the call.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """Take in a piece of the body."""
        if not self._is_deaf:
            self._has_progressed = True
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the body of the call, unless its head will come again."""
        if not self.parser.offers_upgrade() and not self._is_deaf:
            self._has_progressed = True
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the next call, if there is one."""
        super().on_response_complete()
        if self._unparsed and not self.transport.is_closing():
            self._parse_on()

    def resume_writing(self) -> None:
        """Go on writing: the caller did read something."""
        super().resume_writing()
        self._waiting_for = None

    def look_after(self, now: float, patience_seconds: float) -> None:
        """End what has been waiting for the caller for too long; `now` in seconds of any clock.

        A head that stalls is refused, and who does not read replies is cut off. A connection that sent
        nothing is closed, and so is one that sends on behind a reply, which leaves uvicorn's timer unset.
        To be called every now and then: a call that comes at once is then never the cause of a timer.
        """
        cycle = self.cycle
        is_unread = self.flow.write_paused or self.transport.is_closing()
        waiting_for: object = None
        if is_unread:
            waiting_for = self.flow
        elif self._is_deaf or self.flow.read_paused:
            pass
        elif self._is_head_open():
            waiting_for = self.scope or self
        elif cycle.response_complete and self.timeout_keep_alive_task is None:
            waiting_for = cycle
        if waiting_for is not self._waiting_for:
            self._waiting_for, self._waiting_since = waiting_for, now
        elif waiting_for is None or now - self._waiting_since < patience_seconds:
            return
        elif is_unread:
            self.transport.abort()
        elif waiting_for is self.scope:
            self._refuse_head(Reason.BODY_STALLED)
        else:
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._in_turn = cycle
        super()._start_asgi_task(cycle, app)

    def _parse_on(self) -> None:
        """Parse what was read, slice by slice, up to a call that has to wait for its turn."""
        while self._unparsed and not self.pipeline and not self._is_deaf:
            piece, self._unparsed = self._unparsed[:SLICE_BYTES], self._unparsed[SLICE_BYTES:]
            self._parse(piece)

    def _parse(self, data: bytes | memoryview) -> None:
        """Parse one slice."""
        self._unset_keepalive_if_required()
        self._has_progressed = False
        self._slice_bytes = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            if not self._is_deaf:
                self._refuse_invalid()
        except httptools.HttpParserUpgrade:
            # Behind CONNECT comes what is meant for a tunnel, and there is none.
            self._be_deaf()
        if self._is_deaf:
            return
        cycle = self.cycle
        if cycle is not None and cycle.scope is self.scope and not cycle.more_body:
            self._uncounted_bytes = self._unread_bytes = 0
        else:
            self._weigh_unread()

    def _weigh_unread(self) -> None:
        """Count the bytes of a head or of trailers: they are not seen before they are whole."""
        if self._has_progressed:
            # Behind the end of something else, how much of the slice is unread can not be told.
            self._uncounted_bytes, self._unread_bytes = self._slice_bytes, 0
            return
        self._unread_bytes += self._slice_bytes
        if self._unread_bytes > self._max_head_bytes:
            if self._is_head_open():
                self._refuse_head(Reason.HEADERS_TOO_LARGE)
            else:
                self._be_deaf()
                self.transport.close()

    def _is_head_open(self) -> bool:
        return self.cycle is None or self.cycle.scope is not self.scope

    def _be_deaf(self) -> None:
        self._is_deaf = True
        self._unparsed = _NOTHING

    def _refuse_invalid(self) -> None:
        """Refuse what is no HTTP, in the place of the call whose body it spoils where it is in a body."""
        cycle = self.cycle
        if not self._is_head_open():
            if not cycle.more_body:
                self.on_message_begin()
            elif cycle.response_started:
                self._be_deaf()
                self.transport.close()
                return
            else:
                self._take_back(cycle)
        self._refuse_head(Reason.INVALID_HTTP)

    def _take_back(self, cycle: Any) -> None:
        """Make the head of the newest call one that was never whole."""
        self.scope = {**self.scope}
        if self.pipeline:
            self.pipeline.popleft()
        else:
            # To the application the caller is gone; to the connection its turn is over.
            cycle.disconnected = cycle.response_complete = True
            cycle.message_event.set()

    def _refuse_head(self, reason: Reason) -> None:
        """Make a call of the head as far as it came, in its turn after the calls before it, and the last."""
        self._be_deaf()
        if self.scope is None:
            self.on_message_begin()
        self.url = parsable(self.url)
        app = self.app
        self.app = refusing(self.app_state.get(REFUSE_HEAD, refuse_head), reason, self.config)
        try:
            super().on_headers_complete()
        finally:
            self.app = app
        self.cycle.keep_alive = False


def _has_few_lines(data: bytes) -> bool:
    """Whether few calls can begin in the data: each has two ends of lines at least."""
    end = -1
    # Many times as fast as count() where there are few.
    for _ in range(MAX_LINES):
        end = data.find(b"\n", end + 1)
        if end < 0:
            return True
    return False
