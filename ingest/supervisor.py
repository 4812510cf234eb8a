"""Keeps several worker processes on one listening socket: replaces the dead, and stops all in order."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import time
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from ingest.settings import Settings
from ingest.telemetry import log_event
from ingest.worker import work

RETRY_SECONDS: Final = 1.0
"""Pause before a worker that did not come up again is tried once more."""
CLOSE_SECONDS: Final = 30.0
"""How long workers may take, beyond their calls in flight, to flush and close what they hold."""

_log = logging.getLogger(__name__)


@dataclass
class _Process:
    process: BaseProcess
    started: Connection
    comes_after_another: bool

    def has_started(self) -> bool:
        try:
            return self.started.poll() and bool(self.started.recv_bytes())
        except EOFError:
            return False


class Supervisor:
    """`count` processes that serve the application of `config`, which is made anew in each of them.

    A worker that dies is replaced at once; the socket stays open meanwhile, and who connects is served by the
    others, or waits.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        settings: Settings,
        listener: socket.socket,
        count: int,
    ) -> None:
        self._start_process = partial(_start, config, settings, listener)
        self._listener = listener
        self._count = count
        self._stop_seconds = (
            settings.stop_delay_seconds + (config.timeout_graceful_shutdown or 0) + CLOSE_SECONDS
        )
        self._workers: list[_Process] = []
        self._signals: list[int] = []
        self._alarm, self._bell = multiprocessing.Pipe(duplex=False)

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; raises SystemExit when a worker does not start in the first place."""
        handlers = {sig: signal.signal(sig, self._note_signal) for sig in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._workers = [self._start_process(comes_after_another=False) for _ in range(self._count)]
            while not self._signals:
                self._wait_for_news([worker.process for worker in self._workers], None)
                self._replace_the_dead()
        finally:
            self._stop()
            for sig, handler in handlers.items():
                signal.signal(sig, handler)

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._signals.append(number)
        self._bell.send_bytes(b"1")

    def _wait_for_news(self, processes: list[BaseProcess], seconds: float | None) -> None:
        """Return when a signal came, when one of the processes is dead, or when the seconds are over."""
        if self._alarm in wait([self._alarm, *(process.sentinel for process in processes)], seconds):
            self._alarm.recv_bytes()

    def _replace_the_dead(self) -> None:
        for place, worker in enumerate(self._workers):
            if self._signals or worker.process.is_alive():
                continue
            is_new_failure = self._bury(worker)
            if is_new_failure and not worker.comes_after_another:
                raise SystemExit(STARTUP_FAILURE)
            if is_new_failure and self._alarm.poll(RETRY_SECONDS):
                return
            self._workers[place] = self._start_process(comes_after_another=True)

    def _bury(self, worker: _Process) -> bool:
        """Take leave of a dead worker; returns whether it died before it served any call."""
        worker.process.join()
        has_failed_to_start = not worker.has_started()
        worker.started.close()
        log_event(
            _log,
            logging.ERROR,
            "worker did not start" if has_failed_to_start else "worker died",
            pid=worker.process.pid,
            exit_code=worker.process.exitcode,
        )
        return has_failed_to_start

    def _stop(self) -> None:
        """Stop the workers that are left; a second SIGINT hurries them, and who hangs is killed."""
        for worker in self._workers:
            worker.process.terminate()
        # The last to close it refuses callers from then on; until then the kernel would take them in.
        self._listener.close()
        deadline = time.monotonic() + self._stop_seconds
        hurried = False
        while living := [worker.process for worker in self._workers if worker.process.is_alive()]:
            left = deadline - time.monotonic()
            if left <= 0:
                _kill(living)
            self._wait_for_news(living, max(left, 0.1))
            if not hurried and self._signals[1:].count(signal.SIGINT):
                hurried = True
                _hurry(living)


def _hurry(processes: list[BaseProcess]) -> None:
    for process in processes:
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGINT)


def _kill(processes: list[BaseProcess]) -> None:
    for process in processes:
        log_event(_log, logging.ERROR, "worker did not stop: killed", pid=process.pid)
        process.kill()


def _start(
    config: uvicorn.Config, settings: Settings, listener: socket.socket, *, comes_after_another: bool
) -> _Process:
    # Not by fork: threads and sockets of this process have no business in another.
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(config, settings, listener, writer))
    process.start()
    writer.close()
    return _Process(process, reader, comes_after_another)
