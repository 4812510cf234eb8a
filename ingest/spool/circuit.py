"""The circuit before the event log: open, events go straight to the spool and no call waits for the log."""

from __future__ import annotations

import logging
import time
from typing import Final

from ingest.telemetry import log_event

_log = logging.getLogger(__name__)

_TRIAL_SECONDS: Final = 1.0


class Circuit:
    """Opened by a failed append, closed by an acknowledged one; used on one event loop.

    `acknowledged` counts what the log took: whoever sees it grow knows that the log is not away as a whole.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.cause: str | None = None
        self.acknowledged = 0
        self._tried_at = 0.0
        self._opened_at = 0.0

    def open_seconds(self) -> float:
        """How long it has been open; 0 where it is closed."""
        return time.monotonic() - self._opened_at if self.is_open else 0.0

    def open(self, error: Exception) -> None:
        """Keep calls away from the log; `error` says why."""
        self.cause = str(error) or type(error).__name__
        self._tried_at = time.monotonic()
        if not self.is_open:
            self.is_open = True
            self._opened_at = self._tried_at
            log_event(_log, logging.WARNING, "event log away, events go to the spool", error=self.cause)

    def close(self) -> None:
        """Let calls try the log first again."""
        if self.is_open:
            self.is_open = False
            self.cause = None
            log_event(_log, logging.INFO, "event log back, events go to it again")

    def take_trial(self) -> bool:
        """Whether this call is to try the log, because nothing on the spool has for a while."""
        now = time.monotonic()
        if now - self._tried_at < _TRIAL_SECONDS:
            return False
        self._tried_at = now
        return True

    def note_trial(self) -> None:
        """Something on the spool tries the log now."""
        self._tried_at = time.monotonic()
