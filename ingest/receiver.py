"""The receiver: the FastAPI application around the webhook, and the server that runs it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.supervisors import Multiprocess

from ingest.authentication import ApiKeys
from ingest.event_log import open_writer
from ingest.event_log.base import EventLogWriter
from ingest.health import health_routes
from ingest.http1 import Http1Protocol
from ingest.openapi import describe_webhook
from ingest.settings import Settings
from ingest.telemetry import log_event, logging_config
from ingest.webhook import WEBHOOK_PATHS, Webhook

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than the 60 s after which the usual proxies give up an idle connection themselves."""
SHUTDOWN_GRACE_SECONDS: Final = 10
"""Beyond the append time-out: how long calls in flight may take to finish after SIGTERM."""
PROXIES: Final = ["127.0.0.1", "::1"]
"""Whose x-forwarded-for names the caller: a TLS proxy on this machine."""

_log = logging.getLogger(__name__)


class Receiver(FastAPI):
    """FastAPI with a short way to the webhook and a description of it."""

    def __init__(self, webhook: Webhook, **options: Any) -> None:
        super().__init__(**options)
        self._webhook = webhook
        self.router.routes.extend(Route(path, webhook, methods=["POST"]) for path in WEBHOOK_PATHS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve an ASGI call; a webhook call skips the middleware, which costs more than the call itself."""
        if scope["type"] == "http" and scope["path"] in WEBHOOK_PATHS and scope["method"] == "POST":
            await self._webhook(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI schema, the webhook routes included."""
        return describe_webhook(super().openapi())


def create_app(settings: Settings, writer: EventLogWriter | None = None) -> Receiver:
    """The receiver's ASGI application, appending through `writer` or else the log that the settings name.

    Raises NoApiKeys when no key is configured.
    """
    api_keys = ApiKeys(settings.api_keys)
    log_writer = open_writer(settings) if writer is None else writer

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        log_writer.start()
        try:
            yield
        finally:
            await log_writer.close()

    app = Receiver(
        Webhook(api_keys, log_writer, settings.max_body_bytes),
        title="Asleep webhook receiver",
        description="Makes sleep-tracking webhooks durable before it acknowledges them.",
        version="1",
        lifespan=lifespan,
        exception_handlers={HTTPException: _reply_http_error},
    )
    app.include_router(health_routes(log_writer))
    return app


def serve(settings: Settings, *, workers: int) -> None:
    """Serve until SIGTERM or SIGINT, with `workers` processes; calls in flight are finished first.

    Raises NoApiKeys when no key is configured, and SystemExit when the address can not be listened on or
    the application does not start.
    """
    ApiKeys(settings.api_keys)
    config = server_config(settings, partial(create_app, settings), workers=workers)
    log_event(_log, logging.INFO, "receiver starting", workers=workers, settings=settings.masked())
    listener = config.bind_socket()
    host, port = listener.getsockname()[:2]
    log_event(_log, logging.INFO, "receiver listening", host=host, port=port)
    if workers > 1:
        Multiprocess(config, sockets=[listener]).run()
        return
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        # uvicorn raises SIGINT again after it has shut down in order.
        return


def server_config(settings: Settings, app: Callable[[], ASGIApp], *, workers: int = 1) -> uvicorn.Config:
    """How uvicorn runs the application that `app` makes; sets up the logs of this process.

    With several workers, `app` is pickled and called in each of them.
    """
    return uvicorn.Config(
        app,
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=workers,
        loop="uvloop",
        http=Http1Protocol,
        ws="none",
        lifespan="on",
        log_config=logging_config(settings.log_level),
        access_log=False,
        server_header=False,
        forwarded_allow_ips=PROXIES,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_SECONDS + round(settings.append_timeout_seconds),
    )


async def _reply_http_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    reason = error.detail.lower().replace(" ", "_")
    return JSONResponse(
        {"error": reason, "message": "See /docs for what this receiver answers."},
        status_code=error.status_code,
        headers=error.headers,
    )
