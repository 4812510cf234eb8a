"""A webhook of its own thread that answers as a test asks it to, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at_once: int
    """How many requests of the same user were being answered, this one included."""


@dataclass
class Webhook:
    """`answer` gets each request and gives a status; 2xx come with a receipt id."""

    answer: Callable[[Request], int] = lambda _: 200
    with_receipts: bool = True
    pause_seconds: float = 0.0
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    _under_way: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhook"

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.requests]

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        user = headers.get("x-user-id", "")
        self._under_way[user] += 1
        body = await request.read()
        seen = Request(request.path, headers, body, self._under_way[user])
        self.requests.append(seen)
        number = len(self.requests)
        await asyncio.sleep(self.pause_seconds)
        status = self.answer(seen)
        self._under_way[user] -= 1
        if status == 0:
            assert request.transport is not None
            request.transport.abort()
        told = {"receipt_id": f"receipt-{number}"} if self.with_receipts else {"fine": True}
        return web.json_response(told if status < 300 else {"error": "because"}, status=status or 500)


@contextmanager
def running_webhook(webhook: Webhook) -> Iterator[Webhook]:
    """The webhook on a free port, until the end of the block."""
    loop = asyncio.new_event_loop()
    application = web.Application(client_max_size=8 * 1024 * 1024)
    application.router.add_post("/{path:.*}", webhook.handle)
    runner = web.AppRunner(application)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        webhook.port = int(runner.addresses[0][1])

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(start(), loop).result(timeout=10)
        try:
            yield webhook
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()
