"""Weeks of nights that arrive in pieces, cut anywhere, much of it late: the tables of one build of all."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from ingest.records import Reason, Topic
from ingest.settings import Settings
from pipelines.database import build_path
from tests.builds import different_rows, models_read_once, run_build, table_names
from tests.raw_events import Event, land, simulated_events

SEEDS: Final = 1
SEEDS_OF_A_SOAK: Final = 20
CUTS: Final = 3
NEVER_SEEN: Final = "somebody without a night"


@pytest.fixture(scope="module", autouse=True)
def _models_are_read_once() -> Iterator[None]:
    with models_read_once():
        yield


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """Nights and naps of five users in two calendar weeks."""
    return simulated_events(users=5, days=12)


def refused(received_at: datetime) -> Event:
    status = HTTPStatus.UNAUTHORIZED
    headers = {"reason": Reason.WRONG_API_KEY.encode(), "status": b"%d" % status}
    return Event(body="", received_at=received_at, headers=headers)


def delayed(events: list[Event], chance: random.Random) -> list[Event]:
    """In order of arrival, after some were delayed: a few by minutes, some by days, whole users by a week."""
    slow_users = set(chance.sample(sorted({str(event.user_id) for event in events}), 2))

    def delay(event: Event) -> timedelta:
        fate = chance.random()
        days = 7 if event.user_id in slow_users and fate < 0.3 else chance.choice([0] * 40 + [1, 3, 9])
        return timedelta(days=days, minutes=chance.choice([0, 0, 0, 0, 3, 50]))

    late = [replace(event, received_at=event.received_at + delay(event)) for event in events]
    return sorted(late, key=lambda event: event.received_at)


def cut(events: list[Event], chance: random.Random) -> list[list[Event]]:
    """Pieces of very different size, one of them empty."""
    cuts = sorted(chance.choices(range(1, len(events)), k=CUTS))
    cuts = [0, *cuts, cuts[-1], len(events)]
    return [events[start:end] for start, end in pairwise(cuts)]


def land_apart(settings: Settings, piece: list[Event], chance: random.Random) -> None:
    """A file per partition, and now and then an attempt."""
    for partition in (0, 1):
        mine = [event for event in piece if (sum(map(ord, str(event.user_id))) % 2) == partition]
        if mine:
            land(settings, mine, partition=partition)
    if piece and chance.random() < 0.7:
        land(settings, [refused(piece[-1].received_at)], topic=Topic.ATTEMPTS)


def write_users(path: Path, users: list[str], chance: random.Random) -> None:
    """A users file of some of them, as it may look today."""
    lines = ["user_id,birth_year,gender,signup_date"]
    for user in [*chance.sample(users, chance.randint(1, len(users))), NEVER_SEEN]:
        signed_up = date(2025, 12, 1) + timedelta(days=chance.randint(0, 40))
        lines.append(
            f"{user},{chance.choice(['', 1950, 1990, 2005])},{chance.choice(['', 'female'])},{signed_up}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def prove_equal_to_a_full_build(settings: Settings, as_of: datetime, folder: Path) -> None:
    shutil.copytree(settings.data_dir, folder)
    anew = settings.model_copy(update={"data_dir": folder})
    build_path(anew).unlink()
    assert run_build(anew, as_of).is_full
    assert not different_rows(build_path(anew), build_path(settings), table_names(), but=())
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_builds_at_any_cuts_end_in_the_tables_of_one_full_build(
    events: list[Event], tmp_path: Path, soaking: bool
) -> None:
    users = sorted({str(event.user_id) for event in events})
    for number in range(SEEDS_OF_A_SOAK if soaking else SEEDS):
        seed = random.randrange(10**9)
        print(f"random seed {seed}")
        chance = random.Random(seed)
        folder = tmp_path / str(number)
        settings = Settings(data_dir=folder / "data", users_file=folder / "users.csv")
        pieces = cut(delayed(events, chance), chance)
        looked_at = chance.randrange(len(pieces) - 1)
        as_of = datetime.min.replace(tzinfo=UTC)
        for index, piece in enumerate(pieces):
            land_apart(settings, piece, chance)
            write_users(folder / "users.csv", users, chance)
            as_of = max([as_of, *(event.received_at for event in piece)])
            run_build(settings, as_of)
            if index == len(pieces) - 1 or (soaking and index == looked_at):
                prove_equal_to_a_full_build(settings, as_of, folder / "anew")
