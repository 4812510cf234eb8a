"""httptools' parser of calls, which here weighs heads, and parses on behind a head that offers an upgrade."""

from __future__ import annotations

from typing import Protocol

import httptools


class ArrivingHead(Protocol):
    """What the callbacks of the parser keep of the head that is arriving."""

    url: bytes
    headers: list[tuple[bytes, bytes]]


class HeadParser(httptools.HttpRequestParser):
    """Takes a call that offers `Upgrade: h2c`, as Java's client does by default, for a call like any other.

    As it is, the parser takes the head of such a call for the end of HTTP/1.1. Here the head is parsed a
    second time without the offer: callbacks are to ignore what comes while `offers_upgrade()`.
    """

    def __init__(self, callbacks: ArrivingHead) -> None:
        super().__init__(callbacks)
        self._head = callbacks

    def feed_data(self, data: bytes | memoryview) -> None:  # type: ignore[override]  # there are no others
        """Parse; raises HttpParserUpgrade behind CONNECT only."""
        while True:
            try:
                super().feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if not self.offers_upgrade():
                    raise
                data = self._head_without_offer() + data[upgrade.args[0] :]
            else:
                return

    def offers_upgrade(self) -> bool:
        """Whether the head that was just parsed has an Upgrade header that the parser obeys."""
        # should_upgrade is also true of CONNECT, which needs no Upgrade header.
        return self.should_upgrade() and any(name == b"upgrade" for name, _ in self._head.headers)

    def head_bytes(self) -> int:
        """The size of the head that was just parsed."""
        first_line = len(self.get_method()) + len(self._head.url) + len(b"  HTTP/1.1\r\n")
        fields = sum(len(name) + len(value) + len(b": \r\n") for name, value in self._head.headers)
        return first_line + fields + len(b"\r\n")

    def _head_without_offer(self) -> bytes:
        version = self.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.get_method(), self._head.url, version)]
        lines += [b"%b: %b" % header for header in self._head.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])
