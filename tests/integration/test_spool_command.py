"""`asleep drain`: what an operator sees, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ingest.event_log.base import LogUnavailable
from ingest.settings import Settings
from ingest.spool.by_hand import drain
from ingest.spool.folders import SpoolFolder
from tests.event_log import everything_in
from tests.spooling import leave_spool, make_log, on_the_spool, receipts_of
from tests.unit.memory_log import MemoryLog


def asleep_drain(settings: Settings, *folders: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "drain", *map(str, folders)],
        env=settings.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(data_dir=tmp_path / "data", append_timeout_seconds=1.0)
    make_log(settings)
    return settings


def test_spools_of_dead_receivers_are_drained_and_living_ones_left_alone(settings: Settings) -> None:
    first = leave_spool(settings, range(700))
    second = leave_spool(settings, range(700, 705))
    in_use = SpoolFolder.adopt(leave_spool(settings, ["in use"]))
    assert in_use is not None

    ended = asleep_drain(settings)
    assert ended.returncode == 0, ended.stderr
    assert f"{first}: 700 records drained, 0 left" in ended.stdout
    assert f"{second}: 5 records drained, 0 left" in ended.stdout
    assert f"{in_use.path}: left alone" in ended.stdout
    assert receipts_of(everything_in(settings)) == [str(number) for number in range(705)]
    assert on_the_spool(settings) == ["in use"]
    in_use.release()


def test_one_spool_from_another_place_can_be_named_itself(settings: Settings, tmp_path: Path) -> None:
    moved = leave_spool(settings, range(3)).rename(tmp_path / "rescued")
    ended = asleep_drain(settings, moved)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(everything_in(settings)) == 3
    assert not moved.exists()


def test_a_spool_that_can_not_be_read_makes_it_fail_and_does_not_stop_the_others(settings: Settings) -> None:
    broken = leave_spool(settings, [])
    (broken / "spool.db").write_bytes(b"no database" * 1000)
    leave_spool(settings, range(3))
    ended = asleep_drain(settings)
    assert ended.returncode == 1
    assert str(broken) in ended.stderr
    assert len(everything_in(settings)) == 3


def test_without_a_log_nothing_is_drained(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.spool.by_hand._CONNECT_SECONDS", 0.5)
    leave_spool(settings, range(3))
    settings.data_dir.joinpath("event_log.db").write_bytes(b"no database" * 1000)
    with pytest.raises(LogUnavailable, match=r"event_log\.db"):
        drain(settings, settings.spool_path, lambda *_: None)
    assert on_the_spool(settings) == ["0", "1", "2"]


def test_a_log_that_goes_away_leaves_the_rest_on_the_spool(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = leave_spool(settings, range(3))
    monkeypatch.setattr(
        "ingest.spool.by_hand.open_writer", lambda _: MemoryLog(failure=LogUnavailable("gone"))
    )
    (spool,) = drain(settings, settings.spool_path, lambda *_: None)
    assert (spool.path, spool.drained, spool.left, spool.problem, spool.ok) == (left, 0, 3, "gone", False)
    assert on_the_spool(settings) == ["0", "1", "2"]


def test_a_folder_without_spools_is_no_failure(settings: Settings, tmp_path: Path) -> None:
    ended = asleep_drain(settings, tmp_path)
    assert (ended.returncode, ended.stdout) == (0, f"no spool in {tmp_path}\n")


def test_a_spool_of_another_log_is_drained_only_when_asked_for(settings: Settings) -> None:
    other = settings.model_copy(update={"event_log_url": "kafka://broker:9092"})
    spool = leave_spool(other, range(3))
    refused = asleep_drain(settings)
    assert refused.returncode == 1
    assert "kafka://broker:9092" in refused.stderr
    assert "--into-this-log" in refused.stderr
    assert on_the_spool(settings) == ["0", "1", "2"]

    ended = asleep_drain(settings, "--into-this-log", spool)
    assert ended.returncode == 0, ended.stderr
    assert receipts_of(everything_in(settings)) == ["0", "1", "2"]


def test_an_embedded_log_that_is_not_there_is_not_made(settings: Settings, tmp_path: Path) -> None:
    leave_spool(settings, range(3))
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    for options in ([], ["--into-this-log"]):
        ended = asleep_drain(elsewhere, *options, settings.spool_path)
        assert ended.returncode == 1
        assert "ASLEEP_EVENT_LOG_URL" in ended.stderr
    assert not elsewhere.data_dir.exists()
    assert on_the_spool(settings) == ["0", "1", "2"]
