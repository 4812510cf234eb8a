"""kill -9 of a lander at random moments under load: every acknowledged offset is in one file."""

from __future__ import annotations

import random
import time

import pytest

from ingest.settings import Settings
from tests.integration.lander_campaign import bury, prove_each_landed_once
from tests.integration.lander_process import (
    Writer,
    number_of_files,
    running_lander,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.soak]

KILLS = 5
KILLS_OF_A_SOAK = 100
LONGEST_START_SECONDS = 1.5
MOST_FILES = 12


def kill_one(settings: Settings, chance: random.Random) -> int:
    """Start a lander, and kill it while it starts or at work; how many files it left unfinished."""
    before = number_of_files(settings)
    with running_lander(settings):
        if chance.random() < 0.2:
            time.sleep(chance.uniform(0, LONGEST_START_SECONDS))
        else:
            wanted = before + chance.randint(1, MOST_FILES)
            wait_until(lambda: number_of_files(settings) >= wanted, "landed files")
            time.sleep(chance.uniform(0, 0.05))
    bury(settings)
    return len(list(settings.raw_dir.rglob("*.tmp")))


def test_a_lander_killed_again_and_again_lands_every_offset_once(
    log_settings: Settings, soaking: bool
) -> None:
    settings = log_settings.model_copy(
        update={"land_max_rows": 25, "land_max_age_seconds": 0.05, "lander_port": 0}
    )
    chance = random.Random(20261123)
    with Writer(settings) as writer:
        kills = range(KILLS_OF_A_SOAK if soaking else KILLS)
        unfinished = sum(kill_one(settings, chance) for _ in kills)
    assert writer.unclear == 0
    prove_each_landed_once(settings, writer.receipts)
    print(f"{len(kills)} kills, {unfinished} files unfinished; {len(writer.receipts)} receipts landed once")
