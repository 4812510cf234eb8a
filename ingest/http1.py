"""uvicorn's HTTP/1.1 protocol, made to ignore offers to upgrade: as it is, it loses the body behind one."""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState


class Http1Protocol(HttpToolsProtocol):
    """Answers a call that offers `Upgrade: h2c`, as Java's client does by default, like any other call.

    The parser takes the head of such a call for the end of HTTP/1.1. The head is given to it a second time
    without the offer, and only then does uvicorn hear of the call.
    """

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

    def on_headers_complete(self) -> None:
        """Start the call, unless its head will come again."""
        if not self.offers_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the body of the call, unless its head will come again."""
        if not self.offers_upgrade():
            super().on_message_complete()

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
