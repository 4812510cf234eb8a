"""The circuit before the event log: open, events go straight to the spool and no call waits for the log."""

from __future__ import annotations

import logging

from ingest.telemetry import log_event

_log = logging.getLogger(__name__)


class Circuit:
    """Opened by a failed append, closed by an acknowledged one; used on one event loop."""

    def __init__(self) -> None:
        self.is_open = False
        self.cause: str | None = None
        self._trial_due = False

    def open(self, error: Exception) -> None:
        """Keep calls away from the log; `error` says why."""
        self.cause = str(error) or type(error).__name__
        self._trial_due = False
        if not self.is_open:
            self.is_open = True
            log_event(_log, logging.WARNING, "event log away, events go to the spool", error=self.cause)

    def close(self) -> None:
        """Let calls try the log first again."""
        self._trial_due = False
        if self.is_open:
            self.is_open = False
            self.cause = None
            log_event(_log, logging.INFO, "event log back, events go to it again")

    def offer_trial(self) -> None:
        """Let one call try the log: there is nothing on the spool that could be tried in its place."""
        self._trial_due = True

    def take_trial(self) -> bool:
        """Whether this call is the one."""
        taken, self._trial_due = self._trial_due, False
        return taken
