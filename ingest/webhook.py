"""The hot path: one bare ASGI endpoint that makes a call durable before it says so."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson
from starlette.types import Receive, Scope, Send

from ingest.admission import BodyTooLarge, ClientDisconnected, declared_length, discard_rest, read_body
from ingest.authentication import ApiKeys
from ingest.envelope import read_envelope
from ingest.event_log.base import EventLogError, EventLogWriter
from ingest.records import ENVELOPE_VERSION, Header, Headers, Reason, Receipt, Topic, partition_key
from ingest.telemetry import log_event

WEBHOOK_PATHS: Final = ("/webhook", "/asleep-webhook")
RETRY_AFTER_SECONDS: Final = 5
LINGER_SECONDS: Final = 2.0
MAX_HEADER_BYTES: Final = 1024

REFUSALS: Final[dict[Reason, tuple[HTTPStatus, str]]] = {
    Reason.MISSING_API_KEY: (HTTPStatus.UNAUTHORIZED, "Send your API key in the x-api-key header."),
    Reason.WRONG_API_KEY: (HTTPStatus.UNAUTHORIZED, "Send an API key that is configured here in x-api-key."),
    Reason.BODY_TOO_LARGE: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Send a smaller body."),
    Reason.BODY_NOT_UTF8: (HTTPStatus.BAD_REQUEST, "Send the body as UTF-8."),
    Reason.BODY_NOT_JSON: (HTTPStatus.BAD_REQUEST, "Send the body as JSON (RFC 8259)."),
    Reason.BODY_NOT_AN_OBJECT: (HTTPStatus.BAD_REQUEST, "Send one JSON object as the body."),
}
LOG_UNAVAILABLE_MESSAGE: Final = "The event could not be stored; send it again later."

_log = logging.getLogger(__name__)

_ReplyHeaders = list[tuple[bytes, bytes]]
_JSON: Final = (b"content-type", b"application/json")
_CLOSE: Final = (b"connection", b"close")
_RETRY_AFTER: Final = (b"retry-after", b"%d" % RETRY_AFTER_SECONDS)

# Looked up once: members of an enum are slow to reach, and a call needs ten of them.
_EVENTS: Final = Topic.EVENTS.value
_RECEIPT_ID: Final = Header.RECEIPT_ID.value
_RECEIVED_AT: Final = Header.RECEIVED_AT.value
_USER_ID: Final = Header.USER_ID.value
_EVENT: Final = Header.EVENT.value
_SESSION_ID: Final = Header.SESSION_ID.value
_REMOTE_ADDRESS: Final = Header.REMOTE_ADDRESS.value
_CONTENT_TYPE: Final = Header.CONTENT_TYPE.value
_PATH: Final = Header.PATH.value
_ENVELOPE: Final = (Header.ENVELOPE.value, ENVELOPE_VERSION.encode())
_NO_SIGNATURE: Final = (Header.SIGNATURE.value, b"none")
_OK: Final = HTTPStatus.OK.value


@dataclass(slots=True)
class Call:
    """What is known of a call before its body is read."""

    receipt: Receipt
    path: str
    remote_address: str | None
    api_key: bytes | None
    user_id: bytes | None
    content_type: bytes | None
    content_length: int | None

    @classmethod
    def arriving(cls, scope: Scope) -> Call:
        """Give the call a receipt and read its headers; of a repeated header the last one counts."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        client = scope.get("client")
        return cls(
            receipt=Receipt.now(),
            path=scope["path"],
            remote_address=client[0] if client else None,
            api_key=headers.get(b"x-api-key"),
            user_id=_short(headers.get(b"x-user-id")),
            content_type=_short(headers.get(b"content-type")),
            content_length=declared_length(headers.get(b"content-length")),
        )

    def record_headers(self) -> Headers:
        """The record headers that events and attempts share."""
        headers: Headers = [
            (_RECEIPT_ID, self.receipt.receipt_id.encode()),
            (_RECEIVED_AT, b"%d" % self.receipt.received_at_us),
            (_PATH, self.path.encode()),
            _ENVELOPE,
        ]
        if self.user_id is not None:
            headers.append((_USER_ID, self.user_id))
        if self.remote_address is not None:
            headers.append((_REMOTE_ADDRESS, self.remote_address.encode()))
        if self.content_type is not None:
            headers.append((_CONTENT_TYPE, self.content_type))
        return headers


class Webhook:
    """The ASGI endpoint behind POST on every path of WEBHOOK_PATHS."""

    def __init__(self, api_keys: ApiKeys, writer: EventLogWriter, max_body_bytes: int) -> None:
        self._api_keys = api_keys
        self._writer = writer
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call; 200 only once the event log has acknowledged its body."""
        call = Call.arriving(scope)
        refusal = self._api_keys.refusal(call.api_key)
        if refusal is not None:
            await self._refuse_unread(call, refusal, 0, receive, send)
            return
        try:
            body = await read_body(receive, call.content_length, self._max_body_bytes)
        except ClientDisconnected:
            return
        except BodyTooLarge as error:
            await self._refuse_unread(call, Reason.BODY_TOO_LARGE, error.bytes_read, receive, send)
            return
        envelope = read_envelope(body)
        if isinstance(envelope, Reason):
            await self._note_attempt(call, envelope, body, len(body))
            await _send(send, *_refusal(call, envelope))
            return

        headers = call.record_headers()
        headers.append(_NO_SIGNATURE)
        if envelope.event:
            headers.append((_EVENT, envelope.event.encode()))
        if envelope.session_id:
            headers.append((_SESSION_ID, envelope.session_id.encode()))
        user_id = envelope.user_id or (call.user_id or b"").decode(errors="replace")
        key = partition_key(user_id, envelope.session_id)
        try:
            await self._writer.append(_EVENTS, key, body, headers)
        except EventLogError as error:
            await self._reply_unavailable(call, error, send)
            return
        receipt_id = call.receipt.receipt_id.encode()
        await _send(send, _OK, b'{"status":"received","receipt_id":"%b"}' % receipt_id)

    async def _refuse_unread(
        self, call: Call, reason: Reason, bytes_read: int, receive: Receive, send: Send
    ) -> None:
        """Refuse a call whose body was not read to its end.

        The connection stays open where what is left of the body is known to be small: the server skips it.
        """
        await self._note_attempt(call, reason, b"", bytes_read)
        status, reply = _refusal(call, reason)
        if call.content_length is not None and call.content_length <= self._max_body_bytes:
            await _send(send, status, reply)
            return
        await _send(send, status, reply, [_CLOSE], end=False)
        await discard_rest(receive, LINGER_SECONDS)
        await send({"type": "http.response.body"})

    async def _note_attempt(self, call: Call, reason: Reason, body: bytes, bytes_read: int) -> None:
        status = REFUSALS[reason][0]
        log_event(
            _log,
            logging.INFO,
            "call refused",
            receipt_id=call.receipt.receipt_id,
            reason=reason,
            status=status,
            path=call.path,
            remote_address=call.remote_address,
            body_bytes=bytes_read,
        )
        headers = call.record_headers()
        headers += [
            (Header.REASON.value, reason.encode()),
            (Header.STATUS.value, b"%d" % status),
            (Header.BODY_BYTES.value, b"%d" % bytes_read),
        ]
        try:
            await self._writer.append(Topic.ATTEMPTS.value, None, body, headers)
        except EventLogError as error:
            log_event(
                _log,
                logging.WARNING,
                "refused call not recorded",
                receipt_id=call.receipt.receipt_id,
                reason=Reason.LOG_UNAVAILABLE,
                error=str(error),
            )

    async def _reply_unavailable(self, call: Call, error: EventLogError, send: Send) -> None:
        log_event(
            _log,
            logging.WARNING,
            "event not stored",
            receipt_id=call.receipt.receipt_id,
            reason=Reason.LOG_UNAVAILABLE,
            error=str(error),
        )
        body = _error_body(call, Reason.LOG_UNAVAILABLE, LOG_UNAVAILABLE_MESSAGE)
        await _send(send, HTTPStatus.SERVICE_UNAVAILABLE, body, [_RETRY_AFTER])


def _short(value: bytes | None) -> bytes | None:
    """A header as it came, or None for one too long to name anything: strangers must not fill the log."""
    return None if value is None or len(value) > MAX_HEADER_BYTES else value


def _refusal(call: Call, reason: Reason) -> tuple[HTTPStatus, bytes]:
    status, message = REFUSALS[reason]
    return status, _error_body(call, reason, message)


def _error_body(call: Call, reason: Reason, message: str) -> bytes:
    return orjson.dumps({"error": reason, "message": message, "receipt_id": call.receipt.receipt_id})


async def _send(
    send: Send, status: int, body: bytes, more_headers: _ReplyHeaders | None = None, *, end: bool = True
) -> None:
    headers = [_JSON, (b"content-length", b"%d" % len(body))]
    if more_headers:
        headers += more_headers
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": not end})
