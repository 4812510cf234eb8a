"""kill -9 of compactions at random moments, beside a lander at work: every offset counts exactly once."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.compaction import compact
from ingest.settings import Settings
from tests.integration.lander_process import (
    LanderProcess,
    Writer,
    assert_each_landed_once,
    number_of_files,
    running_lander,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.soak]

KILLS = 3
KILLS_OF_A_SOAK = 100

_PROGRAM = """
from datetime import UTC, datetime, timedelta
from ingest.compaction import compact
from ingest.settings import Settings
from ingest.telemetry import configure_logging

configure_logging("DEBUG")
while True:
    compact(Settings(), now=datetime.now(UTC) + timedelta(days=2))
"""


class Compactor(LanderProcess):
    """Compacts again and again, as if all hours and days were over."""

    PROGRAM = ("-c", _PROGRAM)


def kill_one(settings: Settings, chance: random.Random) -> None:
    """Start a compactor, and kill it while it joins or removes."""
    compactor = Compactor(settings)
    try:
        done, times = chance.choice([("joined files", 3), ("removed a file that others hold", 40)])
        wanted = chance.randint(1, times)
        wait_until(lambda: len(compactor.logged(done)) >= wanted, done)
        time.sleep(chance.uniform(0, 0.1))
    finally:
        compactor.kill()


def test_compactions_killed_again_and_again_beside_a_lander_lose_and_double_nothing(
    tmp_path: Path, soaking: bool
) -> None:
    settings = Settings(
        data_dir=tmp_path / "data",
        append_timeout_seconds=10.0,
        land_max_rows=25,
        land_max_age_seconds=0.05,
        lander_port=0,
        compact_target_bytes=100_000,
    )
    chance = random.Random(20261123)
    kills = KILLS_OF_A_SOAK if soaking else KILLS
    with Writer(settings) as writer, running_lander(settings):
        wait_until(lambda: number_of_files(settings) >= 50, "landed files")
        for _ in range(kills):
            kill_one(settings, chance)
    last = LanderProcess(settings, "--once")
    assert last.wait() == 0, last.logged("landing failed")
    left = number_of_files(settings)
    assert_each_landed_once(settings, writer.receipts, tmp_path)
    report = compact(settings, now=datetime.now(UTC) + timedelta(days=2))
    assert report.ok, report.left_alone
    verdict = assert_each_landed_once(settings, writer.receipts, tmp_path)
    assert verdict.receipts is not None
    assert (verdict.receipts.different, verdict.receipts.repeated_rows) == (len(writer.receipts), 0)
    assert sum(part.rows for part in verdict.partitions) == len(writer.receipts)
    assert sum(part.superfluous for part in verdict.partitions) == 0
    assert not list(settings.raw_dir.rglob("*.tmp"))
    print(f"{kills} kills; {left} files left by them, {number_of_files(settings)} at the end")
