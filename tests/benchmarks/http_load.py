"""Loads a webhook over keep-alive connections and prints as JSON how it answered.

`python -m tests.benchmarks.http_load --port 8000 --key KEY --connections 64 --seconds 5`

Each connection sends a request, awaits its reply and sends the next. The load shares the machine with what it
measures, so it does little: plain sockets, and requests that are made and signed beforehand.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import cycle

BODY_BYTES = 350
SESSIONS = 512
USERS = SESSIONS // 4
PATIENCE_SECONDS = 10.0
_READ_BYTES = 64 * 1024
_HEAD_END = b"\r\n\r\n"
_CONTENT_LENGTH = b"content-length:"


@dataclass(frozen=True)
class LoadReport:
    """What a load saw: rate, latencies (milliseconds) and statuses after the warm-up, replies in all."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    statuses: dict[str, int]
    replies: int


class _Connection:
    """One connection and the reply that arrives on it."""

    __slots__ = ("_reply", "_socket", "sent_at")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._reply = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        """Send a request; it is smaller than the empty buffer of the socket, so this never waits."""
        self.sent_at = time.perf_counter()
        self._socket.sendall(request)

    def receive(self) -> bytes | None:
        """The status of the reply, or None while it is incomplete; raises ConnectionError at its end."""
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("the server closed a connection under load")
        reply = self._reply + data
        head_bytes = reply.find(_HEAD_END)
        if head_bytes < 0 or len(reply) < head_bytes + 4 + _content_length(reply[:head_bytes]):
            self._reply = reply
            return None
        self._reply = b""
        return reply[9:12]


@lru_cache(maxsize=128)
def _content_length(head: bytes) -> int:
    start = head.lower().index(_CONTENT_LENGTH) + len(_CONTENT_LENGTH)
    return int(head[start:].split(b"\r\n", 1)[0])


class Load:
    """Open connections to a server on the loopback interface, with a request under way on each."""

    def __init__(self, port: int, requests: Sequence[bytes], connections: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._requests = cycle(requests)
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        for connected in self._sockets:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(connected)
            self._selector.register(connected, selectors.EVENT_READ, connection)
            connection.send(next(self._requests))

    def run(self, seconds: float) -> tuple[list[float], Counter[bytes]]:
        """Latencies in seconds and statuses of the replies that come meanwhile.

        Raises OSError when a connection is lost, TimeoutError when no reply comes.
        """
        latencies: list[float] = []
        statuses: list[bytes] = []
        ends = time.perf_counter() + seconds
        now = 0.0
        while now < ends:
            ready = self._selector.select(PATIENCE_SECONDS)
            if not ready:
                raise TimeoutError(f"no reply on any connection for {PATIENCE_SECONDS:g} seconds")
            for key, _ in ready:
                connection: _Connection = key.data
                status = connection.receive()
                now = time.perf_counter()
                if status is not None:
                    latencies.append(now - connection.sent_at)
                    statuses.append(status)
                    connection.send(next(self._requests))
        return latencies, Counter(statuses)

    def close(self) -> None:
        """End the connections, whatever is under way on them."""
        self._selector.close()
        for connected in self._sockets:
            connected.close()


def inference_requests(path: str, key: str, signing_secret: str | None = None) -> list[bytes]:
    """One request per session, each with an INFERENCE_COMPLETE body of BODY_BYTES bytes.

    With a secret of Standard Webhooks they are signed, with the present moment as their timestamp.
    """
    requests = []
    for number in range(SESSIONS):
        user_id = f"user-{number % USERS:04d}"
        event = {
            "event": "INFERENCE_COMPLETE",
            "version": "V3",
            "timestamp": "2026-03-01T23:15:00Z",
            "user_id": user_id,
            "session_id": f"session-{number:06d}",
            "seq_num": 9,
            "inference_seq_num": 0,
            "sleep_stages": [0, 0, 0, 1, 1, 1, 1, 2, 2, 2],
            "breath_stages": [0] * 10,
            "snoring_stages": [0] * 10,
        }
        body = json.dumps(event).encode().ljust(BODY_BYTES)
        assert len(body) == BODY_BYTES
        head = (
            f"POST {path} HTTP/1.1\r\nHost: receiver\r\nContent-Type: application/json\r\n"
            f"x-api-key: {key}\r\nx-user-id: {user_id}\r\nContent-Length: {len(body)}\r\n"
        )
        if signing_secret is not None:
            head += _signature(f"call-{number:06d}", body, signing_secret)
        requests.append(head.encode() + b"\r\n" + body)
    return requests


def _signature(call_id: str, body: bytes, secret: str) -> str:
    timestamp = int(time.time())
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{call_id}.{timestamp}.".encode() + body, hashlib.sha256)
    signature = base64.b64encode(digest).decode()
    return f"webhook-id: {call_id}\r\nwebhook-timestamp: {timestamp}\r\nwebhook-signature: v1,{signature}\r\n"


def measure(load: Load, seconds: float, warm_up: float) -> LoadReport:
    """Load for the time of the warm-up and then for `seconds`, and report on the latter."""
    _, warming = load.run(warm_up)
    began = time.perf_counter()
    latencies, statuses = load.run(seconds)
    took = time.perf_counter() - began
    latencies.sort()

    def percentile_ms(share: float) -> float:
        return 1000 * latencies[int(len(latencies) * share)]

    return LoadReport(
        requests_per_second=len(latencies) / took,
        p50_ms=percentile_ms(0.5),
        p99_ms=percentile_ms(0.99),
        p999_ms=percentile_ms(0.999),
        statuses={status.decode(): count for status, count in statuses.items()},
        replies=statuses.total() + warming.total(),
    )


def main() -> None:
    """Read the command line, load, print the report as JSON."""
    parser = argparse.ArgumentParser(description="Load a webhook over keep-alive connections.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/webhook")
    parser.add_argument("--key", required=True)
    parser.add_argument("--signing-secret", help="sign with this secret of Standard Webhooks (whsec_...)")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm-up", type=float, default=1.0)
    given = parser.parse_args()
    requests = inference_requests(given.path, given.key, given.signing_secret)
    load = Load(given.port, requests, given.connections)
    try:
        print(json.dumps(asdict(measure(load, given.seconds, given.warm_up))))
    finally:
        load.close()


if __name__ == "__main__":
    main()
