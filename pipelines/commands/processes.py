"""Our own processes, started beside each other and stopped in order."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

HEALTHY_AFTER_SECONDS = 10.0
MAX_RESTART_DELAY_SECONDS = 30.0


def asleep_command(*arguments: str) -> list[str]:
    """The command line of `asleep` with these arguments, by this very Python."""
    return [sys.executable, "-m", "pipelines.cli", *arguments]


def script_command(name: str, *arguments: str) -> list[str]:
    """The command line of a console script that is installed beside this Python."""
    return [str(Path(sys.executable).parent / name), *arguments]


@dataclass(slots=True)
class Child:
    """One process of ours, in a session of its own: a Ctrl-C in the terminal reaches only its parent."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log_path: Path | None = None
    stop_timeout_seconds: float = 30.0
    prepare: Sequence[str] = ()
    """A command to run to its end before each start; what it says goes to the same log."""
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _started_at: float = field(default=0.0, init=False)
    _restart_at: float | None = field(default=None, init=False)
    _restart_delay: float = field(default=1.0, init=False)

    def start(self) -> None:
        """Prepare, then start it; its output goes to its log file, or to ours. Raises OSError."""
        output: IO[bytes] | None = None
        if self.log_path is not None:
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            output = self.log_path.open("ab")
        environment = dict(self.environment)
        try:
            if self.prepare:
                subprocess.run(self.prepare, env=environment, stdout=output, stderr=output, check=False)
            self.process = subprocess.Popen(
                self.command, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        finally:
            if output is not None:
                output.close()
        self._started_at = time.monotonic()
        self._restart_at = None

    def has_ended(self) -> bool:
        """Whether it was started and is no longer there."""
        return self.process is not None and self.process.poll() is not None

    def keep_alive(self) -> None:
        """Start it again when it has ended: after a second, later if it keeps ending soon."""
        if self.process is None or self.process.poll() is None:
            return
        now = time.monotonic()
        if self._restart_at is None:
            if now - self._started_at > HEALTHY_AFTER_SECONDS:
                self._restart_delay = 1.0
            self._restart_at = now + self._restart_delay
            log.error(
                "%s ended with code %s; starting it again in %.0f s",
                self.name,
                self.process.returncode,
                self._restart_delay,
            )
            self._restart_delay = min(2 * self._restart_delay, MAX_RESTART_DELAY_SECONDS)
        elif now >= self._restart_at:
            try:
                self.start()
            except OSError as error:
                log.error("%s can not be started: %s", self.name, error)  # noqa: TRY400  no trace is needed
                self._restart_at = now + self._restart_delay

    def stop(self) -> int | None:
        """Ask it to end, and wait; returns its exit code, None if it never ran.

        It is killed only past its time-out: what it had not finished is then found again at its next start.
        """
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(self.stop_timeout_seconds)
            except subprocess.TimeoutExpired:
                log.exception(
                    "%s did not end within %.0f s and is killed", self.name, self.stop_timeout_seconds
                )
                # It leads a session of its own: whatever it has started ends with it.
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        return self.process.returncode
