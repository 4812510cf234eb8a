"""The hot path: one bare ASGI endpoint that makes a call durable before it says so."""

from __future__ import annotations

import logging
from http import HTTPStatus
from time import perf_counter
from typing import Final, Protocol

import orjson
from starlette.types import Receive, Scope, Send

from ingest.admission import (
    LINGER_SECONDS,
    BodyStalled,
    BodyTooLarge,
    ClientDisconnected,
    discard_rest,
    read_body,
)
from ingest.attempts.audit import Attempts, RefusedCall
from ingest.calls import Call
from ingest.duplicates import RecentEvents
from ingest.event_log.base import EventLogError
from ingest.gate import Admitted, Gate, Turned
from ingest.metrics.numbers import Metrics
from ingest.records import Headers, Reason, Topic
from ingest.refusals import REFUSALS
from ingest.settings import Settings
from ingest.spool.holding import SpoolFull
from ingest.telemetry import log_event

WEBHOOK_PATHS: Final = ("/webhook", "/asleep-webhook")
MAX_LINGERING: Final = 100
"""Refused callers at a time that get LINGER_SECONDS to read why; those beyond may see a reset instead."""

_log = logging.getLogger(__name__)

_ReplyHeaders = list[tuple[bytes, bytes]]
_JSON: Final = (b"content-type", b"application/json")
_CLOSE: Final = (b"connection", b"close")
_EVENTS: Final = Topic.EVENTS.value
_OK: Final = HTTPStatus.OK.value
_TOO_MANY: Final = Turned(Reason.TOO_MANY_OPEN_REQUESTS)
_OK_BODY: Final = b'{"status":"received","receipt_id":"%b"}'


class Writer(Protocol):
    """Where events are made durable; returns once they are, raises EventLogError when they can not be."""

    async def append(self, topic: str, key: bytes | None, value: bytes, headers: Headers) -> None:
        """Make one record durable."""
        ...


class Webhook:
    """The ASGI endpoint behind POST on every path of WEBHOOK_PATHS."""

    def __init__(
        self, settings: Settings, gate: Gate, writer: Writer, attempts: Attempts, metrics: Metrics
    ) -> None:
        self._gate = gate
        self._writer = writer
        self._attempts = attempts
        self._metrics = metrics
        self._recent = RecentEvents()
        self._max_body_bytes = settings.max_body_bytes
        self._body_timeout_seconds = settings.body_timeout_seconds
        self._max_open = settings.max_open_requests
        self._open = 0
        self._lingering = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call; 200 only once its body is durable."""
        metrics = self._metrics
        metrics.in_flight += 1
        try:
            is_over = await self._answer(Call.arriving(scope), receive, send)
        except ClientDisconnected:
            metrics.abandoned()
            return
        finally:
            metrics.in_flight -= 1
        if not is_over:
            await self._linger(receive, send)

    async def refuse_head(self, reason: Reason, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call whose head is too large or never came to its end."""
        del receive
        await self._refuse(Call.arriving(scope), Turned(reason), 0, send, [_CLOSE])

    async def _answer(self, call: Call, receive: Receive, send: Send) -> bool:
        """Answer a call; False where the end of the answer is not sent, so that the caller may read it."""
        turned = self._gate.judge_head(call)
        if turned is not None:
            return await self._refuse_unread(call, turned, 0, send)
        # Only who may come in can keep others out.
        if self._open >= self._max_open:
            return await self._refuse_unread(call, _TOO_MANY, 0, send)
        self._open += 1
        try:
            return await self._take(call, receive, send)
        finally:
            self._open -= 1

    async def _take(self, call: Call, receive: Receive, send: Send) -> bool:
        try:
            sent = await read_body(
                receive, call.content_length, self._max_body_bytes, self._body_timeout_seconds
            )
        except BodyTooLarge as error:
            return await self._refuse_unread(call, Turned(Reason.BODY_TOO_LARGE), error.bytes_read, send)
        except BodyStalled as error:
            await self._refuse(call, Turned(Reason.BODY_STALLED), error.bytes_read, send, [_CLOSE])
            return True
        event = self._gate.judge_body(call, sent)
        if isinstance(event, Turned):
            await self._refuse(call, event, len(sent), send)
            return True
        await self._store(call, event, len(sent), send)
        return True

    async def _store(self, call: Call, event: Admitted, bytes_read: int, send: Send) -> None:
        asked = perf_counter()
        try:
            await self._writer.append(_EVENTS, event.key, event.body, event.headers)
        except EventLogError as error:
            await self._reply_unavailable(call, event, error, bytes_read, send)
            return
        self._metrics.appended(perf_counter() - asked)
        await self._reply_received(call, event, send)

    async def _reply_received(self, call: Call, event: Admitted, send: Send) -> None:
        receipt_id = call.receipt.receipt_id
        await _send(send, _OK, _OK_BODY % receipt_id.encode())
        self._metrics.accepted(call.age_seconds())
        if self._recent.is_repeat(event.key, event.body):
            self._metrics.repeated()
        if _log.isEnabledFor(logging.DEBUG):
            log_event(_log, logging.DEBUG, "event accepted", receipt_id=receipt_id, path=call.path)

    async def _reply_unavailable(
        self, call: Call, event: Admitted, error: EventLogError, bytes_read: int, send: Send
    ) -> None:
        reason = Reason.SPOOL_FULL if isinstance(error, SpoolFull) else Reason.LOG_UNAVAILABLE
        turned = Turned(reason, headers=event.found)
        self._attempts.postpone(_refused(call, turned, bytes_read))
        if _log.isEnabledFor(logging.DEBUG):
            log_event(
                _log,
                logging.DEBUG,
                "event not stored",
                receipt_id=call.receipt.receipt_id,
                reason=turned.reason,
                error=str(error),
            )
        await self._send_refusal(send, call, turned)

    async def _refuse_unread(self, call: Call, turned: Turned, bytes_read: int, send: Send) -> bool:
        """Refuse a call whose body was not read to its end; False where the answer's end is still to be sent.

        The connection stays open where what is left of the body is known to be small: the server skips it.
        """
        if call.content_length is not None and call.content_length <= self._max_body_bytes:
            await self._refuse(call, turned, bytes_read, send)
            return True
        is_over = turned is _TOO_MANY
        await self._refuse(call, turned, bytes_read, send, [_CLOSE], end=is_over)
        return is_over

    async def _linger(self, receive: Receive, send: Send) -> None:
        """Give a caller who is still sending the time to read the answer, and end it."""
        if self._lingering < MAX_LINGERING:
            self._lingering += 1
            try:
                await discard_rest(receive, LINGER_SECONDS)
            finally:
                self._lingering -= 1
        await send({"type": "http.response.body"})

    async def _refuse(  # noqa: PLR0913  one place writes every refusal down and answers it
        self,
        call: Call,
        turned: Turned,
        bytes_read: int,
        send: Send,
        more_headers: _ReplyHeaders | None = None,
        *,
        end: bool = True,
    ) -> None:
        await self._attempts.note(_refused(call, turned, bytes_read))
        await self._send_refusal(send, call, turned, more_headers, end=end)

    async def _send_refusal(
        self,
        send: Send,
        call: Call,
        turned: Turned,
        more_headers: _ReplyHeaders | None = None,
        *,
        end: bool = True,
    ) -> None:
        refusal = REFUSALS[turned.reason]
        headers = refusal.headers(turned.retry_after_seconds) + (more_headers or [])
        body = orjson.dumps(
            {"error": turned.reason, "message": refusal.message, "receipt_id": call.receipt.receipt_id}
        )
        await _send(send, refusal.status, body, headers, end=end)
        self._metrics.rejected(turned.reason, call.age_seconds())


def _refused(call: Call, turned: Turned, bytes_read: int) -> RefusedCall:
    return RefusedCall(
        headers=[*call.record_headers(), *turned.headers],
        receipt_id=call.receipt.receipt_id,
        reason=turned.reason,
        status=REFUSALS[turned.reason].status,
        path=call.path,
        remote_address=call.remote_address,
        body=turned.body,
        bytes_read=bytes_read,
    )


async def _send(
    send: Send, status: int, body: bytes, more_headers: _ReplyHeaders | None = None, *, end: bool = True
) -> None:
    headers = [_JSON, (b"content-length", b"%d" % len(body))]
    if more_headers:
        headers += more_headers
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": not end})
