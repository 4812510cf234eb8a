"""Whether one thing keeps a process from its work, why, how often and for how long."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass
class Pause:
    """Whether, how often and for how long one part kept the lander from landing."""

    problem: str | None = None
    times: int = 0
    since: float = 0.0
    past_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """In all, with the present one."""
        return self.past_seconds + (0.0 if self.problem is None else time.monotonic() - self.since)

    def begin(self, problem: str) -> None:
        """Begin, or go on for another reason."""
        if self.problem is None:
            self.times += 1
            self.since = time.monotonic()
        self.problem = problem

    def end(self) -> None:
        """End, if it lasts."""
        self.past_seconds, self.problem = self.seconds, None
