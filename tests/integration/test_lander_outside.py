"""A running lander as an orchestrator and Prometheus see it: its pages, while log and disk fail it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import disk_usage

import pytest

from ingest.settings import Settings
from pipelines.commands.health import Part, problem
from pipelines.commands.processes import asleep_command
from tests.integration.lander_process import (
    LanderProcess,
    append_events,
    assert_each_landed_once,
    number_of_files,
    running_lander,
    wait_until,
)
from tests.integration.small_disks import NoMount, small_disk
from tests.kafka_broker import Broker, free_port

ROOM_BYTES = 200_000
ROWS_OF_A_FILE = 50


def problems(lander: LanderProcess) -> dict[str, str]:
    """What /readyz names; nothing when it answers 200."""
    status, text = lander.get("/readyz")
    told: dict[str, str] = json.loads(text).get("problems", {})
    assert (status == 200) is not bool(told)
    return told


def numbers(lander: LanderProcess) -> dict[str, float]:
    """The samples of /metrics, by name and labels."""
    lines = lander.get("/metrics")[1].splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def lag_records(lander: LanderProcess) -> float:
    return sum(
        value for name, value in numbers(lander).items() if name.startswith("asleep_lander_lag_records")
    )


@pytest.fixture
def small_raw(tmp_path: Path) -> Iterator[Path]:
    """The folder of landed files, on a small disk of its own."""
    try:
        with small_disk(tmp_path / "raw", 8_000_000) as folder:
            yield folder
    except NoMount as reason:
        pytest.skip(f"no small disk can be mounted: {reason}")


def large_body() -> bytes:
    return os.urandom(2000).hex().encode()


def test_a_disk_that_is_full_pauses_a_lander_which_says_so_and_goes_on_when_there_is_room(
    small_raw: Path, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, land_max_rows=ROWS_OF_A_FILE, land_max_age_seconds=0.2)
    ballast = small_raw / "ballast"
    ballast.write_bytes(bytes(disk_usage(small_raw).free - ROOM_BYTES))
    receipts = append_events(settings, 300, large_body)
    with running_lander(settings) as lander:
        wait_until(
            lambda: "No space left on device" in problems(lander).get("raw_files", ""), "the full disk"
        )
        landed = number_of_files(settings)
        assert numbers(lander)['asleep_lander_paused{part="raw_files"}'] == 1
        receipts += append_events(settings, 100, large_body)
        behind = 400 - ROWS_OF_A_FILE * landed
        wait_until(lambda: lag_records(lander) >= behind, "the lag to grow")
        assert lander.get("/healthz")[0] == 200
        assert number_of_files(settings) == landed
        assert set(problems(lander)) == {"raw_files"}
        ballast.unlink()
        wait_until(lambda: not problems(lander) and lag_records(lander) == 0, "everything to be landed")
        seen = numbers(lander)
        assert seen['asleep_lander_paused{part="raw_files"}'] == 0
        assert seen['asleep_lander_paused_seconds_total{part="raw_files"}'] > 0
        assert lander.terminate() == 0
    assert_each_landed_once(settings, receipts, tmp_path)
    assert not list(small_raw.rglob("*.tmp"))


@pytest.mark.kafka
@pytest.mark.slow
def test_a_broker_that_hangs_is_told_and_landing_goes_on_when_it_answers(
    fragile_kafka: Broker, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, event_log_url=fragile_kafka.url, land_max_age_seconds=0.2)
    receipts = append_events(settings, 50)
    with running_lander(settings) as lander:
        wait_until(lambda: not problems(lander) and number_of_files(settings), "a lander that lands")
        fragile_kafka.pause()
        try:
            wait_until(lambda: "event_log" in problems(lander), "the broker to be missed")
            assert lander.get("/healthz")[0] == 200
        finally:
            fragile_kafka.resume()
        wait_until(lambda: not problems(lander), "the lander to be ready again")
        receipts += append_events(settings, 50)
        wait_until(lambda: lag_records(lander) == 0, "everything to be landed")
        assert lander.terminate() == 0
    assert_each_landed_once(settings, receipts, tmp_path)


def test_asleep_health_asks_the_running_lander(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, lander_port=free_port())
    append_events(settings, 5)
    assert LanderProcess(settings, "--once").wait() == 0
    assert "refused" in str(problem(Part.LANDER, settings))
    with running_lander(settings):
        wait_until(lambda: problem(Part.LANDER, settings) is None, "a well lander")
        second = settings.model_copy(update={"lander_port": free_port()})
        with running_lander(second) as standing_by:
            wait_until(lambda: standing_by.logged("lander listening"), "the second to listen")
            assert "no partition is assigned" in str(problem(Part.LANDER, second))
    assert "refused" in str(problem(Part.LANDER, settings))
    assert "ASLEEP_LANDER_PORT is 0" in str(
        problem(Part.LANDER, settings.model_copy(update={"lander_port": 0}))
    )


def test_a_port_in_use_ends_the_command_with_a_sentence_that_names_the_setting(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, lander_port=free_port())
    with running_lander(settings) as first:
        wait_until(lambda: first.logged("lander listening"), "the first to listen")
        command = asleep_command("land")
        second = subprocess.run(
            command, env=settings.environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert second.returncode == 2
        last_line = second.stderr.splitlines()[-1]
        assert last_line.startswith(
            f"ASLEEP_LANDER_PORT: can not listen on port {settings.lander_port} of 127.0"
        )
        assert LanderProcess(settings, "--once").wait() == 0
