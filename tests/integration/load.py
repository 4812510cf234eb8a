"""A steady load of events that remembers every answer, and a pulse that shows how fast others get theirs."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from statistics import quantiles
from typing import Self

from tests.integration.http_connection import Connection, RawReply, request
from tests.integration.receiver_process import KEY, wait_until

CONNECTIONS = 6
MOST_CONNECTIONS = 64

_BETWEEN_CALLS_SECONDS = 0.003
_AFTER_A_REFUSAL_SECONDS = 0.02
_BETWEEN_BEATS_SECONDS = 0.005
_BEAT = b"GET /healthz HTTP/1.1\r\nHost: receiver\r\n\r\n"

Port = Callable[[], int]
"""Where the receiver listens at the moment: one that is started again listens elsewhere."""


class _Connections:
    """Connections, each in a thread of its own, that are made anew when they are lost, until a `with` ends.

    A call without an answer within 30 s ends one with TimeoutError, raised by `check` and at the end.
    """

    def __init__(self, port: Port, connections: int) -> None:
        self.connections = 0
        self._port = port
        self._first = connections
        self._told_to_stop = threading.Event()
        self._seconds: list[float] = []
        self._lost: list[float] = []

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(MOST_CONNECTIONS)
        self._running: list[Future[None]] = []
        for _ in range(self._first):
            self.add_connection()
        return self

    def __exit__(self, *_: object) -> None:
        self._told_to_stop.set()
        self._pool.shutdown()
        self.check()

    def add_connection(self) -> None:
        """Make one more connection."""
        assert self.connections < MOST_CONNECTIONS
        self.connections += 1
        self._running.append(self._pool.submit(self._run))

    def check(self) -> None:
        """Raise the error of a connection that has ended with one."""
        for each in self._running:
            if each.done():
                each.result()

    def _run(self) -> None:
        while not self._told_to_stop.is_set():
            try:
                connection = Connection(self._port())
            except ConnectionRefusedError:
                self._told_to_stop.wait(_AFTER_A_REFUSAL_SECONDS)
                continue
            with connection:
                self._call_until_lost(connection)

    def _call_until_lost(self, connection: Connection) -> None:
        while not self._told_to_stop.is_set():
            sent_at = time.monotonic()
            try:
                wait_seconds = self._call(connection)
            except (ConnectionError, EOFError):
                self._lost.append(time.monotonic() - sent_at)
                return
            self._seconds.append(time.monotonic() - sent_at)
            self._told_to_stop.wait(wait_seconds)

    @property
    def unanswered(self) -> int:
        """Calls whose connection was lost before their answer."""
        return len(self._lost)

    @property
    def p99_seconds(self) -> float:
        """What all but one answer in a hundred took at most."""
        return quantiles(self._seconds, n=100)[-1]

    @property
    def slowest_seconds(self) -> float:
        """What the slowest answer took."""
        return max(self._seconds)

    def _call(self, connection: Connection) -> float:
        """Make one call, and return how many seconds to wait before the next."""
        raise NotImplementedError


class Load(_Connections):
    """Sends events, each with a body of its own.

    `accepted` holds the body of every 2xx by receipt id, `refusals` all other answers. Appending to either
    needs no lock between the threads.
    """

    def __init__(self, port: Port, *, connections: int = CONNECTIONS, padding_bytes: int = 200) -> None:
        super().__init__(port, connections)
        self._padding = b"z" * padding_bytes
        self.accepted: dict[str, bytes] = {}
        self.refusals: list[RawReply] = []

    def statuses(self) -> Counter[int]:
        """How often each status but 2xx was answered."""
        return Counter(reply.status for reply in list(self.refusals))

    def wait_for_more(self, accepted: int) -> None:
        """Return once so many more events are accepted than now."""
        wanted = len(self.accepted) + accepted

        def enough() -> bool:
            self.check()
            return len(self.accepted) >= wanted

        wait_until(enough, f"{accepted} more accepted events, refused: {dict(self.statuses())}")

    def _call(self, connection: Connection) -> float:
        session = uuid.uuid4().hex.encode()
        body = b'{"event":"INFERENCE_COMPLETE","session_id":"%b","padding":"%b"}' % (session, self._padding)
        connection.send(request(body, f"x-api-key: {KEY}"))
        reply = connection.reply()
        if 200 <= reply.status < 300:
            self.accepted[reply.json["receipt_id"]] = body
            return _BETWEEN_CALLS_SECONDS
        self.refusals.append(reply)
        return _AFTER_A_REFUSAL_SECONDS


class Pulse(_Connections):
    """Asks /healthz all the time, as somebody who wants nothing of the event log."""

    def __init__(self, port: Port) -> None:
        super().__init__(port, 1)

    def _call(self, connection: Connection) -> float:
        connection.send(_BEAT)
        assert connection.reply().status == 200
        return _BETWEEN_BEATS_SECONDS
