"""Simulated users: attributes for the users file, habits for their nights."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final
from uuid import NAMESPACE_URL, uuid5

from pipelines.simulation.hypnogram import seeded

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ZONES: Final = (
    "Asia/Seoul",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "UTC",
    "Asia/Kolkata",
)
"""Offsets of whole and of half hours, DST of an hour, of half an hour and none."""

USERS_FILE_COLUMNS: Final = ("user_id", "birth_year", "gender", "timezone", "signup_date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleeper:
    """One simulated user."""

    user_id: str
    timezone: str
    birth_year: int | None
    gender: str | None
    signup_date: date
    is_registered: bool
    """False: the users file does not know this user."""
    bedtime_hour: float
    """Local hours after the midnight that begins the evening's date: 23.5, or 25 for one in the morning."""
    bedtime_sd_hours: float
    weekend_shift_hours: float
    hours_in_bed: float
    snoring_share: float | None
    """Share of epochs with snoring; None: the app sends no snoring array."""
    has_breath: bool
    shares_session_ids: bool
    """True: session ids made of the date only, which other users have too."""


def population(seed: int, users: int) -> list[Sleeper]:
    """The first `users` sleepers of this seed; a larger population begins with the same ones."""
    return [_sleeper(seed, index) for index in range(users)]


def _sleeper(seed: int, index: int) -> Sleeper:
    user_id = str(uuid5(NAMESPACE_URL, f"asleep-simulation/{seed}/user-{index + 1:04}"))
    rng = seeded(user_id)
    return Sleeper(
        user_id=user_id,
        timezone=ZONES[index % len(ZONES)],
        birth_year=None if index % 13 == 5 else rng.randint(1946, 2007),
        gender=rng.choice(("female", "male", "female", "male", "non_binary", None)),
        signup_date=date(2025, 1, 6) + timedelta(days=rng.randrange(600)),
        is_registered=index % 20 != 7,
        bedtime_hour=min(25.5, max(21.0, rng.gauss(23.3, 0.9))),
        bedtime_sd_hours=rng.uniform(0.2, 0.9),
        weekend_shift_hours=rng.uniform(0.0, 1.6),
        hours_in_bed=rng.uniform(6.6, 8.6),
        snoring_share=rng.choice((None, 0.02, 0.05, 0.1, 0.3)),
        has_breath=rng.random() < 0.7,
        shares_session_ids=index % 6 == 3,
    )


def write_users_csv(sleepers: Iterable[Sleeper], path: Path) -> int:
    """Write the users file (USERS_FILE_COLUMNS) of the registered sleepers; returns how many they are."""
    registered = [sleeper for sleeper in sleepers if sleeper.is_registered]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(USERS_FILE_COLUMNS)
        writer.writerows(
            [getattr(sleeper, column) for column in USERS_FILE_COLUMNS] for sleeper in registered
        )
    return len(registered)
