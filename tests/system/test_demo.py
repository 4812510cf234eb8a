"""What a newcomer runs first."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.system.asleep import Installation

SMALL = ("demo", "--users", "3", "--days", "3")

NIGHTS = """
    select * exclude (duplicate_events, first_received_at, last_received_at, raw_receipt_id,
                      stages_receipt_id, started_at, ended_at, started_local, ended_local, sleep_date,
                      week_start, sleep_onset_at, wake_at, sleep_onset_local, wake_local, midsleep_local)
    from sessions
    order by user_id, session_id
"""


def run_demo(place: Installation) -> subprocess.CompletedProcess[str]:
    done = place.run(*SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def assert_demo_twice_gives_the_same_nights(place: Installation) -> None:
    first = run_demo(place)
    assert "accepted = landed, each exactly once" in first.stdout
    assert str(place.warehouse) in first.stdout
    nights = place.query(NIGHTS)
    assert len(nights) > 3
    run_demo(place)
    assert place.query(NIGHTS) == nights
    [(duplicates,)] = place.query("select sum(duplicate_events) from sessions")
    assert duplicates


def test_the_demo_ends_well_and_twice_gives_the_same_nights(tmp_path: Path) -> None:
    assert_demo_twice_gives_the_same_nights(Installation(tmp_path / "data"))


@pytest.mark.kafka
def test_the_same_demo_runs_on_a_real_broker_with_no_other_change(tmp_path: Path, kafka_url: str) -> None:
    place = Installation(tmp_path / "data", {"ASLEEP_EVENT_LOG_URL": kafka_url})
    assert_demo_twice_gives_the_same_nights(place)
