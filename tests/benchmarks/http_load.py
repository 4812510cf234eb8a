"""Loads a webhook over keep-alive connections and prints as JSON how it answered.

`python -m tests.benchmarks.http_load --port 8000 --key KEY --connections 64 --seconds 5`
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

BODY_BYTES = 350
SESSIONS = 512
_NO_TRANSPORT = "the connection is not made yet"


@dataclass(frozen=True)
class LoadReport:
    """What a load saw: replies counted after the warm-up, latencies in milliseconds."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    statuses: dict[str, int]


@dataclass
class _Tally:
    """What the connections of one load share: the requests to send, and what came back."""

    requests: Sequence[bytes]
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    counting: bool = False
    sent: int = 0

    def next_request(self) -> bytes:
        self.sent += 1
        return self.requests[self.sent % len(self.requests)]


class _Connection(asyncio.Protocol):
    """Sends a request, awaits its reply, sends the next."""

    def __init__(self, tally: _Tally) -> None:
        self._tally = tally
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio.Transport by their methods only.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        head_ends = buffer.find(b"\r\n\r\n")
        if head_ends < 0 or len(buffer) < head_ends + 4 + _content_length(buffer[:head_ends]):
            self._buffer = buffer
            return
        self._buffer = b""
        if self._tally.counting:
            self._tally.latencies.append(time.perf_counter() - self._sent_at)
            self._tally.statuses[buffer[9:12].decode()] += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_exception(exc or ConnectionError("the server closed a connection under load"))

    def close(self) -> None:
        """End the connection; not a loss."""
        self.lost.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _send(self) -> None:
        assert self._transport is not None, _NO_TRANSPORT
        self._sent_at = time.perf_counter()
        self._transport.write(self._tally.next_request())


def _content_length(head: bytes) -> int:
    start = head.lower().index(b"content-length:") + len(b"content-length:")
    return int(head[start:].split(b"\r\n", 1)[0])


def inference_requests(path: str, key: str) -> list[bytes]:
    """One request per session, each with an INFERENCE_COMPLETE body of BODY_BYTES bytes."""
    requests = []
    for number in range(SESSIONS):
        event = {
            "event": "INFERENCE_COMPLETE",
            "version": "V3",
            "timestamp": "2026-03-01T23:15:00Z",
            "user_id": f"user-{number // 4:04d}",
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
            f"x-api-key: {key}\r\nx-user-id: user-{number // 4:04d}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests


async def load(
    port: int, path: str, key: str, connections: int, seconds: float, warm_up: float
) -> LoadReport:
    """Load one path of a server on the loopback interface; raises OSError when a connection is lost."""
    loop = asyncio.get_running_loop()
    tally = _Tally(inference_requests(path, key))
    protocols = [
        (await loop.create_connection(lambda: _Connection(tally), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await _watch(protocols, warm_up)
    tally.counting = True
    began = time.perf_counter()
    await _watch(protocols, seconds)
    took = time.perf_counter() - began
    tally.counting = False
    for protocol in protocols:
        protocol.close()
    if not tally.latencies:
        raise RuntimeError("no reply came back")
    latencies = sorted(tally.latencies)
    return LoadReport(
        requests_per_second=len(latencies) / took,
        p50_ms=1000 * latencies[len(latencies) // 2],
        p99_ms=1000 * latencies[len(latencies) * 99 // 100],
        statuses=dict(tally.statuses),
    )


async def _watch(protocols: Sequence[_Connection], seconds: float) -> None:
    lost, _ = await asyncio.wait(
        [protocol.lost for protocol in protocols], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
    )
    for future in lost:
        future.result()


def main() -> None:
    """Read the command line, load, print the report as JSON."""
    parser = argparse.ArgumentParser(description="Load a webhook over keep-alive connections.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/webhook")
    parser.add_argument("--key", required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm-up", type=float, default=1.0)
    given = parser.parse_args()
    report = uvloop.run(
        load(given.port, given.path, given.key, given.connections, given.seconds, given.warm_up)
    )
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    main()
