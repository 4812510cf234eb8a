"""Calls an ASGI application as a server would, without a socket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Scope

from ingest.receiver import Receiver, create_app
from ingest.settings import Settings
from tests.unit.memory_log import MemoryLog

KEY = "key-of-the-tests"
EVENT = b'{"event":"INFERENCE_COMPLETE","user_id":"user-1","session_id":"session-1"}'

HeaderList = Sequence[tuple[bytes, bytes]]
AUTHENTIC: HeaderList = ((b"x-api-key", KEY.encode()),)


def receiver_settings(**changes: Any) -> Settings:
    """Settings of a receiver with one key, whatever the environment says."""
    return Settings(**{"api_keys": KEY, **changes})


def receiver(log: MemoryLog, **changes: Any) -> Receiver:
    """The receiver's application on a log in memory."""
    return create_app(receiver_settings(**changes), log=log)


@dataclass
class Reply:
    """What an application sent."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def complete(self) -> bool:
        return bool(self.messages) and not self.messages[-1].get("more_body", False)


@dataclass
class Caller:
    """One call to an application: what it receives, and what it replied."""

    chunks: Iterable[bytes]
    headers: HeaderList = AUTHENTIC
    path: str = "/webhook"
    method: str = "POST"
    disconnects: bool = False
    reply: Reply = field(default_factory=Reply)
    received: int = 0

    def scope(self) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": list(self.headers),
            "client": ("192.0.2.7", 50_000),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }

    async def call(self, app: ASGIApp) -> Reply:
        """Make the call; after the last chunk the client ends the body, or disconnects in mid-body."""
        left = deque(self.chunks)

        async def receive() -> Message:
            self.received += 1
            if not left:
                return {"type": "http.disconnect"}
            chunk = left.popleft()
            return {"type": "http.request", "body": chunk, "more_body": bool(left) or self.disconnects}

        async def send(message: Message) -> None:
            self.reply.messages.append(message)

        await app(self.scope(), receive, send)
        return self.reply


def post(app: ASGIApp, body: bytes = EVENT, headers: HeaderList = AUTHENTIC, path: str = "/webhook") -> Reply:
    """One POST with its content-length, its body in one piece."""
    sized = [*headers, (b"content-length", b"%d" % len(body))]
    return asyncio.run(Caller([body], sized, path).call(app))
