"""The lander's own pages: /metrics, /healthz and /readyz, from threads that its loop knows nothing of."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final

import orjson
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ingest.lander_state import LanderState
from ingest.settings import Settings, WrongSetting
from ingest.telemetry import log_event

CONNECTION_SECONDS: Final = 10.0
"""Longest life of a connection, however slowly its caller writes or reads."""

_LOOK_SECONDS: Final = 0.1
_FAREWELL_SECONDS: Final = 5.0

_logger = logging.getLogger(__name__)


@contextmanager
def serving_pages(settings: Settings, state: LanderState, metrics: Collector) -> Iterator[None]:
    """Serve the pages on the lander's host and port; raises WrongSetting where that can not be."""
    registry = CollectorRegistry()
    registry.register(metrics)
    ProcessCollector(registry=registry)
    with _listen(settings) as server:
        server.state, server.registry = state, registry
        host, port = server.server_address[:2]
        log_event(_logger, logging.INFO, "lander listening", host=host, port=port)
        thread = threading.Thread(
            target=server.serve_forever, args=(_LOOK_SECONDS,), name="pages", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(_FAREWELL_SECONDS)


def check_pages(settings: Settings) -> None:
    """Raise WrongSetting where the pages could not be served."""
    _listen(settings).server_close()


def _listen(settings: Settings) -> _Server:
    host, port = settings.lander_host, settings.lander_port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    except OSError as error:
        raise WrongSetting(f"ASLEEP_LANDER_HOST: {host} is no address: {error.strerror}") from error
    try:
        return _Server(family, (host, port))
    except OSError as error:
        raise WrongSetting(
            f"ASLEEP_LANDER_PORT: can not listen on port {port} of {host}: {error.strerror}; "
            f"stop what listens there, or name another port, 0 for any free one"
        ) from error


class _Server(ThreadingHTTPServer):
    """A thread for each connection, none of which lives for long."""

    request_queue_size = 128
    state: LanderState
    registry: CollectorRegistry

    def __init__(self, family: socket.AddressFamily, address: tuple[str, int]) -> None:
        self.address_family = family
        self._opened: dict[socket.socket, float] = {}
        super().__init__(address, _Pages)

    def server_bind(self) -> None:
        """As the base class, which also asks the name server who we are, and may wait for it."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._opened[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._opened.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End what was opened too long ago; called between connections, ten times a second."""
        latest = time.monotonic() - CONNECTION_SECONDS
        for request, opened_at in list(self._opened.items()):
            if opened_at < latest:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that leaves early is nobody's fault; anything else is ours, and is logged."""
        del request, client_address
        error = sys.exception()
        if not isinstance(error, OSError):
            _logger.error("a page could not be made", exc_info=error)


class _Pages(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                encode, content_type = choose_encoder(self.headers.get("accept", ""))
                self._send(HTTPStatus.OK, encode(self.server.registry), content_type)
            case "/healthz":
                stuck = self.server.state.stuck()
                self._tell("alive", "stuck", {} if stuck is None else {"loop": stuck})
            case "/readyz":
                self._tell("ready", "not_ready", self.server.state.problems())
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def _tell(self, well: str, unwell: str, problems: Mapping[str, str]) -> None:
        status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
        told = {"status": unwell, "problems": problems} if problems else {"status": well}
        self._send(status, orjson.dumps(told), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  the base class names it so
        """Nothing: who looks at the pages is no event."""
