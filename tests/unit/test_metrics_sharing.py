"""Numbers of several processes: any of them shows the sum of all, dead ones included where they count."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from ingest.metrics.sharing import SharedMetrics
from ingest.records import Reason
from tests.unit.receiver_numbers import World, samples_of


def _samples(shared: SharedMetrics) -> dict[tuple[str, str], float]:
    registry = CollectorRegistry()
    registry.register(shared)
    return samples_of(generate_latest(registry).decode())


def _busy_world() -> World:
    world = World()
    world.metrics.accepted(0.002)
    world.metrics.rejected(Reason.WRONG_API_KEY, 0.002)
    world.metrics.in_flight = 2
    world.spool.spooled_records = 3
    return world


async def _left(folder: Path, process: SharedMetrics) -> None:
    """Return once this process has left its numbers."""
    async with asyncio.timeout(10):
        while not (folder / f"{process._name}.json").exists():  # noqa: ASYNC110  a file tells nobody
            await asyncio.sleep(0.001)


def test_each_process_shows_the_sum_of_all(tmp_path: Path) -> None:
    worlds = [_busy_world(), _busy_world(), _busy_world()]
    worlds[1].spool.oldest_age_seconds = 7.0
    worlds[2].spool.oldest_age_seconds = 4.0
    worlds[1].metrics.rejected(Reason.RATE_LIMITED, 0.002)

    async def scenario() -> list[dict[tuple[str, str], float]]:
        processes = [SharedMetrics(world.metrics, tmp_path) for world in worlds]
        for process in processes:
            process.start()
        for process in processes:
            await _left(tmp_path, process)
        looks = [_samples(process) for process in processes]
        for process in processes:
            await process.close()
        return looks

    first, second, third = asyncio.run(scenario())
    assert first == second == third
    assert first["requests_total", "accepted"] == 3
    assert first["requests_total", "wrong_api_key rejected"] == 3
    assert first["requests_total", "rate_limited rejected"] == 1
    assert first["request_duration_seconds_bucket", "0.001 accepted"] == 0
    assert first["request_duration_seconds_bucket", "0.0025 accepted"] == 3
    assert first["request_duration_seconds_bucket", "+Inf accepted"] == 3
    assert first["request_duration_seconds_count", "accepted"] == 3
    assert first["request_duration_seconds_sum", "accepted"] == pytest.approx(0.006)
    assert first["requests_in_flight", ""] == 6
    assert first["spool_records", ""] == 9
    assert first["spool_oldest_age_seconds", ""] == 7
    assert first["workers", ""] == 3


def test_of_a_process_that_ended_the_counts_stay_and_the_gauges_go(tmp_path: Path) -> None:
    async def scenario() -> dict[tuple[str, str], float]:
        ended = SharedMetrics(_busy_world().metrics, tmp_path)
        ended.start()
        await ended.close()
        return _samples(SharedMetrics(_busy_world().metrics, tmp_path))

    samples = asyncio.run(scenario())
    assert samples["requests_total", "accepted"] == 2
    assert samples["request_duration_seconds_count", "accepted"] == 2
    assert samples["requests_in_flight", ""] == 2
    assert samples["spool_records", ""] == 3
    assert samples["workers", ""] == 1


def test_what_was_counted_last_is_left_behind_at_the_end(tmp_path: Path) -> None:
    world = World()

    async def scenario() -> dict[tuple[str, str], float]:
        ended = SharedMetrics(world.metrics, tmp_path)
        ended.start()
        await _left(tmp_path, ended)
        world.metrics.accepted(0.002)
        await asyncio.wait_for(ended.close(), 10)
        return _samples(SharedMetrics(World().metrics, tmp_path))

    assert asyncio.run(scenario())["requests_total", "accepted"] == 1


def test_a_folder_that_takes_no_numbers_any_more_is_told_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        process = SharedMetrics(World().metrics, tmp_path)
        process.start()
        await _left(tmp_path, process)
        (tmp_path / f"{process._name}.tmp").mkdir()
        await process._share()
        await process._share()
        assert _samples(process)["workers", ""] == 1
        await asyncio.wait_for(process.close(), 10)

    asyncio.run(scenario())
    (line,) = caplog.records
    assert (line.levelno, line.getMessage()) == (
        logging.WARNING,
        "metrics not shared with other processes",
    )


def test_numbers_are_shared_as_soon_as_the_folder_takes_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "absent"

    async def scenario() -> dict[tuple[str, str], float]:
        process = SharedMetrics(_busy_world().metrics, folder)
        await process._share()
        assert caplog.messages == ["metrics not shared with other processes"]
        folder.mkdir()
        await process._share()
        samples = _samples(SharedMetrics(World().metrics, folder))
        await process.close()
        return samples

    samples = asyncio.run(scenario())
    assert (samples["requests_total", "accepted"], samples["workers", ""]) == (1, 2)


def test_a_process_whose_files_are_removed_meanwhile_is_left_out(tmp_path: Path) -> None:
    async def scenario() -> dict[tuple[str, str], float]:
        other = SharedMetrics(_busy_world().metrics, tmp_path)
        await other._share()
        (tmp_path / f"{other._name}.alive").unlink()
        samples = _samples(SharedMetrics(_busy_world().metrics, tmp_path))
        await other.close()
        return samples

    assert asyncio.run(scenario())["requests_total", "accepted"] == 1
