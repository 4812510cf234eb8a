"""One process that serves calls: it looks after its connections, and stops without cutting a call off."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Final

import uvicorn

from ingest.http1 import Http1Protocol
from ingest.settings import Settings
from ingest.telemetry import log_event

ON_STOP: Final = "on_stop"
"""Key of the lifespan state under which an application leaves what is called, once, when it is to stop."""
LOOK_SECONDS: Final = 1.0
"""The longest pause between two looks at all connections."""

_TICK_SECONDS: Final = 0.1
_CLOSE: Final = (b"connection", b"close")
_log = logging.getLogger(__name__)


class Worker(uvicorn.Server):
    """uvicorn's server, which after SIGTERM or SIGINT goes on for `stop_delay_seconds` before it stops.

    The application hears of it first, and every reply closes its connection from then on: who sends calls
    goes elsewhere by itself. A second SIGINT ends the wait and every call at once. A worker whose parent
    process died stops as after SIGTERM. `started` gets a byte once calls are served.
    """

    def __init__(self, config: uvicorn.Config, settings: Settings, started: Connection | None = None) -> None:
        super().__init__(config)
        self._settings = settings
        self._report = started
        self._parent = multiprocessing.parent_process()
        self._ticks_between_looks = max(
            1, round(min(LOOK_SECONDS, settings.body_timeout_seconds / 4) / _TICK_SECONDS)
        )
        self._serves_until: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and accept calls."""
        await super().startup(sockets)
        if self._report is not None:
            self._report.send_bytes(b"1")

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether the time has come to accept no more calls."""
        is_to_stop = await super().on_tick(counter)
        if counter == 0:
            # What is here now stays: to look through it in every full collection stops all calls meanwhile.
            gc.collect()
            gc.freeze()
        now = time.monotonic()
        if counter % self._ticks_between_looks == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, Http1Protocol):
                    connection.look_after(now, self._settings.body_timeout_seconds)
        if not is_to_stop:
            # Never lowered: a signal may have raised it since it was looked at.
            if self._parent is not None and not self._parent.is_alive():
                self.should_exit = True
            return False
        if self._serves_until is None:
            self._serves_until = now + self._settings.stop_delay_seconds
            self._say_goodbye()
        return self.force_exit or now >= self._serves_until

    def _say_goodbye(self) -> None:
        log_event(_log, logging.INFO, "receiver stopping", delay_seconds=self._settings.stop_delay_seconds)
        on_stop: Callable[[], None] | None = self.lifespan.state.get(ON_STOP)
        if on_stop is not None:
            on_stop()
        self.config.encoded_headers = [*self.config.encoded_headers, _CLOSE]
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]


def work(
    config: uvicorn.Config, settings: Settings, listener: socket.socket, started: Connection | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; raises SystemExit when the application does not start."""
    worker = Worker(config, settings, started)
    # uvicorn hears signals only while its loop runs, and sends itself those it heard once more at the end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.handle_exit)
    config.configure_logging()
    worker.run(sockets=[listener])
