"""A night as it happened, before any dialect tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

EPOCH_SECONDS: Final = 30
UNKNOWN, WAKE, LIGHT, DEEP, REM = range(-1, 4)

Values = tuple[int, ...]
"""One value per 30-second epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One session; every array has one value per epoch and the same length.

    Raises ValueError when arrays differ in length, are empty, or the start is not aware.
    """

    user_id: str
    session_id: str
    started_at: datetime
    timezone: str
    """IANA name of the zone the sleeper is in."""
    stages: Values
    """The vendor's last word: -1 unknown, 0 wake, 1 light, 2 deep, 3 REM."""
    early_stages: Values
    """What the first 5-minute inference said; the 40-minute windows and the report correct it."""
    snoring: Values | None = None
    breath: Values | None = None
    """0 stable, 1 unstable."""
    missing_data_ratio: float | None = None
    peculiarities: tuple[str, ...] = ()
    has_report: bool = True
    """False for an abandoned session: windows, then silence."""

    def __post_init__(self) -> None:
        if not self.stages:
            raise ValueError(f"night {self.session_id}: stages is empty")
        if self.started_at.utcoffset() is None:
            raise ValueError(f"night {self.session_id}: started_at has no offset")
        for name in ("early_stages", "snoring", "breath"):
            values: Values | None = getattr(self, name)
            if values is not None and len(values) != len(self.stages):
                raise ValueError(
                    f"night {self.session_id}: {name} has {len(values)} epochs, stages {len(self.stages)}"
                )

    @property
    def ended_at(self) -> datetime:
        """The end of the last epoch."""
        return self.at(len(self.stages))

    @property
    def zone(self) -> ZoneInfo:
        """The sleeper's zone."""
        return ZoneInfo(self.timezone)

    def at(self, epoch: int) -> datetime:
        """When this epoch (0-based) begins."""
        return self.started_at + timedelta(seconds=EPOCH_SECONDS * epoch)
