"""kill -9 of a lander at each step of a file: whatever it left behind, every offset is in one file."""

from __future__ import annotations

import signal

import pytest

from ingest.settings import Settings
from ingest.verify import verify
from tests.integration.faulty_lander import Point
from tests.integration.lander_campaign import FaultyLander, bury, prove_each_landed_once
from tests.integration.lander_process import append_events

ROWS_OF_A_FILE = 4
APPENDED_EACH_TIME = 40


def dying_lander(settings: Settings, point: Point, file: int) -> FaultyLander:
    """Lands what is there, and dies at a point of its n-th file, or of the one commit behind its files."""
    times = 1 if point in {Point.BEFORE_COMMIT, Point.AFTER_COMMIT} else file
    return FaultyLander(settings, point, times, signal.SIGKILL, "--once")


@pytest.mark.slow
@pytest.mark.soak
def test_a_lander_killed_at_each_point_in_turn_leaves_every_offset_in_one_file(
    log_settings: Settings, soaking: bool
) -> None:
    settings = log_settings.model_copy(
        update={"land_max_rows": ROWS_OF_A_FILE, "kafka_partitions": 1, "lander_port": 0}
    )
    all_of_them = soaking or not settings.log_url.startswith("kafka://")
    points = list(Point) if all_of_them else [Point.AFTER_RENAME, Point.BEFORE_COMMIT, Point.AFTER_COMMIT]
    receipts: list[str] = []
    for file in (1, 2, 3) if soaking else (2,):
        for point in points:
            receipts += append_events(settings, APPENDED_EACH_TIME)
            lander = dying_lander(settings, point, file)
            assert lander.wait() == -signal.SIGKILL, point
            assert lander.has_reached_its_point()
            bury(settings)
            assert [line for line in verify(settings).problems if "not yet landed" not in line] == [], point
    prove_each_landed_once(settings, receipts)
