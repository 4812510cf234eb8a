"""kill -9 of a lander at each step of a file: whatever it left behind, every offset is in one file."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from ingest.settings import Settings
from ingest.verify import verify
from tests.integration.faulty_lander import REACHED, Point
from tests.integration.faulty_lander import __file__ as faulty_lander
from tests.integration.lander_campaign import bury
from tests.integration.lander_process import LanderProcess, append_events, assert_each_landed_once

ROWS_OF_A_FILE = 4
APPENDED_EACH_TIME = 40


class DyingLander(LanderProcess):
    """Lands what is there, and dies at a point of its `times`-th file, or of its first commit."""

    PROGRAM = (faulty_lander,)

    def __init__(self, settings: Settings, point: Point, times: int) -> None:
        if point in {Point.BEFORE_COMMIT, Point.AFTER_COMMIT}:
            times = 1
        super().__init__(settings, point.name, str(times), signal.SIGKILL.name, "--once")


@pytest.mark.slow
def test_a_lander_killed_at_each_point_in_turn_leaves_every_offset_in_one_file(
    log_settings: Settings, tmp_path: Path, soaking: bool
) -> None:
    settings = log_settings.model_copy(update={"land_max_rows": ROWS_OF_A_FILE, "kafka_partitions": 1})
    receipts: list[str] = []
    for times in (1, 2, 3) if soaking else (2,):
        for point in Point:
            receipts += append_events(settings, APPENDED_EACH_TIME)
            lander = DyingLander(settings, point, times)
            assert lander.wait() == -signal.SIGKILL
            assert [line["point"] for line in lander.logged(REACHED)] == [point]
            bury(settings)
            assert [line for line in verify(settings).problems if "not yet landed" not in line] == [], point
    last = LanderProcess(settings, "--once")
    assert last.wait() == 0
    report = assert_each_landed_once(settings, receipts, tmp_path)
    assert sum(partition.rows for partition in report.partitions) == len(receipts)
    assert not list(settings.raw_dir.rglob("*.tmp"))
