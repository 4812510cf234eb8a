"""What answers where no whole, valid head came: the application's refusal, sent so that it can be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, cast

import httptools
import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ingest.admission import LINGER_SECONDS, discard_rest
from ingest.records import Reason, Receipt
from ingest.refusals import REFUSALS

HeadRefusal = Callable[[Reason, Scope, Receive, Send], Awaitable[None]]
"""An ASGI application told first why: HEADERS_TOO_LARGE, INVALID_HTTP, or BODY_STALLED where a head is late.

The scope has what arrived of the head: a path of at most MAX_PATH_BYTES, and as many headers as there were.
"""
MAX_PATH_BYTES: Final = 1024


async def refuse_head(reason: Reason, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a refused head; what happens where an application leaves no HeadRefusal of its own."""
    del scope, receive
    status, message, _ = REFUSALS[reason]
    body = orjson.dumps({"error": reason, "message": message, "receipt_id": Receipt.now().receipt_id})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def refusing(refuse: HeadRefusal, reason: Reason, config: Config) -> ASGI3Application:
    """What refuses one call, told of its caller in the way in which `config` tells the application.

    Who may still be sending is listened to for up to LINGER_SECONDS before the connection closes.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_listen(message: Message) -> None:
            is_end = message["type"] == "http.response.body" and not message.get("more_body", False)
            if is_end and reason is not Reason.BODY_STALLED:
                await send({**message, "more_body": True})
                await discard_rest(receive, LINGER_SECONDS)
                message = {"type": "http.response.body"}
            await send(message)

        await refuse(reason, scope, receive, send_and_listen)

    app = cast(ASGI3Application, cast(ASGIApp, answer))
    return ProxyHeadersMiddleware(app, config.forwarded_allow_ips) if config.proxy_headers else app


def parsable(url: bytes) -> bytes:
    """The beginning of a URL that uvicorn can make a path of: what came, or else the root."""
    url = url[:MAX_PATH_BYTES]
    try:
        return url if httptools.parse_url(url).path else b"/"
    except httptools.HttpParserInvalidURLError:
        return b"/"
