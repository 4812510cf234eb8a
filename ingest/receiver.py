"""The receiver's application: the webhook, and what tells others how it is, around one event log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ingest.attempts.audit import Attempts
from ingest.authentication import ApiKeys
from ingest.event_log import open_writer
from ingest.event_log.base import EventLogWriter
from ingest.gate import Gate
from ingest.health import Health, health_routes
from ingest.http1 import REFUSE_HEAD
from ingest.known_users import KnownUsers
from ingest.metrics.numbers import Metrics
from ingest.metrics.page import metrics_routes
from ingest.metrics.sharing import SharedMetrics
from ingest.openapi import describe_webhook
from ingest.openapi.replies import NOT_SERVED_MESSAGE
from ingest.rate_limits import RateLimits
from ingest.refusals import REFUSALS
from ingest.settings import Settings
from ingest.signatures import Signatures
from ingest.spool.writer import SpoolingWriter
from ingest.webhook import WEBHOOK_PATHS, Webhook
from ingest.worker import ON_STOP

DESCRIPTION_PATH: Final = "/openapi.json"


class Receiver(FastAPI):
    """FastAPI with a short way to the webhook and a description of it."""

    def __init__(self, webhook: Webhook, **options: Any) -> None:
        super().__init__(**options)
        self._webhook = webhook
        self._description = b""
        # Before FastAPI's own route, which writes the description anew each time that a stranger asks.
        self.router.routes.insert(0, Route(DESCRIPTION_PATH, self._describe, methods=["GET"]))
        self.router.routes.extend(Route(path, webhook, methods=["POST"]) for path in WEBHOOK_PATHS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve an ASGI call; a webhook call skips the middleware, which costs more than the call itself."""
        if scope["type"] == "http" and scope["path"] in WEBHOOK_PATHS and scope["method"] == "POST":
            await self._webhook(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _describe(self, _: Request) -> Response:
        if not self._description:
            self._description = orjson.dumps(self.openapi(), option=orjson.OPT_NON_STR_KEYS)
        return Response(self._description, media_type="application/json")

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI schema, the webhook routes included."""
        return describe_webhook(super().openapi())


def create_app(
    settings: Settings, log: EventLogWriter | None = None, *, metrics_folder: Path | None = None
) -> Receiver:
    """The receiver's ASGI application, appending to `log` or else to the one that the settings name.

    `metrics_folder` is where the processes of one receiver share their numbers; None where there is only one.
    Raises WrongSetting when no key is configured, or a signing secret or the users file is of no use.
    """
    users = KnownUsers(settings)
    gate = Gate(
        settings,
        api_keys=ApiKeys(settings.api_keys),
        signatures=Signatures(settings),
        users=users,
        rate_limits=RateLimits(settings),
    )
    writer = SpoolingWriter(settings, open_writer(settings) if log is None else log)
    attempts = Attempts(writer)
    metrics = Metrics(REFUSALS, writer, lambda: attempts.pending_calls)
    shared = None if metrics_folder is None else SharedMetrics(metrics, metrics_folder)
    webhook = Webhook(settings, gate, writer, attempts, metrics)
    health = _health_of(writer, attempts, users)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with AsyncExitStack() as stack:
            # Closed in the opposite order: refused calls are counted to the last, and written before the end.
            for part in (shared, writer, attempts, users):
                if part is not None:
                    part.start()
                    stack.push_async_callback(part.close)
            yield {REFUSE_HEAD: webhook.refuse_head, ON_STOP: health.stop}

    app = Receiver(
        webhook,
        title="Asleep webhook receiver",
        description="Makes sleep-tracking webhooks durable before it acknowledges them.",
        version="1",
        # A redirect would send the key to wherever the Host header says.
        redirect_slashes=False,
        lifespan=lifespan,
        exception_handlers={HTTPException: _reply_http_error},
    )
    app.include_router(health_routes(health))
    app.include_router(metrics_routes(shared or metrics))
    return app


def _health_of(writer: SpoolingWriter, attempts: Attempts, users: KnownUsers) -> Health:
    parts = {
        "event_log": lambda: writer.problems().get("event_log"),
        "spool": lambda: writer.problems().get("spool"),
        "attempts": attempts.problem,
        "users_file": users.problem,
    }
    return Health(parts, writer.accepts)


async def _reply_http_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    reason = error.detail.lower().replace(" ", "_")
    return JSONResponse(
        {"error": reason, "message": NOT_SERVED_MESSAGE},
        status_code=error.status_code,
        headers=error.headers,
    )
