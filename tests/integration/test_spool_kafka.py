"""The spool before a real broker: killed under load, hanging, refusing one record."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from ingest.event_log import open_writer
from ingest.settings import Settings
from tests.event_log import everything_in, paused
from tests.kafka_broker import Broker
from tests.spooling import eventually, flushed, on_the_spool, receipts_of, send, spooling, well

TIMEOUT_SECONDS = 0.5


@pytest.mark.kafka
@pytest.mark.slow
def test_a_broker_killed_and_restarted_under_load_loses_nothing(
    fragile_kafka: Broker, tmp_path: Path
) -> None:
    settings = Settings(
        data_dir=tmp_path,
        event_log_url=fragile_kafka.url,
        append_timeout_seconds=TIMEOUT_SECONDS,
        spool_min_free_bytes=0,
    )
    accepted: list[str] = []

    async def test() -> None:
        async with spooling(settings, open_writer(settings)) as writer:
            await well(writer)
            stop = asyncio.Event()

            async def load(name: int) -> None:
                number = 0
                while not stop.is_set():
                    await send(writer, f"{name}-{number}")
                    accepted.append(f"{name}-{number}")
                    number += 1

            loads = [asyncio.create_task(load(name)) for name in range(8)]
            await eventually(lambda: len(accepted) > 200, "appends")
            await asyncio.to_thread(fragile_kafka.kill)
            await eventually(lambda: writer.spooled_total > 200, "spooled records")
            await asyncio.to_thread(fragile_kafka.start)
            await eventually(lambda: not writer.is_circuit_open, "a closed circuit")
            stop.set()
            await asyncio.gather(*loads)
            await flushed(writer)

    asyncio.run(test())
    assert set(accepted) <= set(receipts_of(everything_in(settings)))


@pytest.mark.kafka
def test_the_event_loop_is_not_blocked_while_the_broker_hangs(fragile_kafka: Broker, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        event_log_url=fragile_kafka.url,
        append_timeout_seconds=TIMEOUT_SECONDS,
        spool_min_free_bytes=0,
    )
    lags: list[float] = []

    async def tick() -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.002)
            lags.append(time.perf_counter() - begin - 0.002)

    async def test() -> None:
        async with spooling(settings, open_writer(settings)) as writer:
            await well(writer)
            ticker = asyncio.create_task(tick())
            with paused(fragile_kafka):
                # More than the producer's buffer holds, so that `send` would have to wait for room.
                await asyncio.gather(*[send(writer, number, size=100_000) for number in range(480)])
                await eventually(lambda: writer.spooled_total == 480, "everything on the spool")
                while len(lags) < 1000:
                    await send(writer, "more")
            await flushed(writer)
            ticker.cancel()

    asyncio.run(test())
    lags.sort()
    print(f"loop lag: p99 {lags[len(lags) * 99 // 100] * 1000:.1f} ms, longest {lags[-1] * 1000:.1f} ms")
    assert lags[-1] < 0.5


@pytest.mark.kafka
def test_a_record_too_large_for_kafka_is_kept_and_blocks_nothing(kafka_url: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, event_log_url=kafka_url, max_body_bytes=1, spool_min_free_bytes=0)

    async def test() -> None:
        async with spooling(settings, open_writer(settings)) as writer:
            await well(writer)
            await send(writer, "large", size=400_000)
            await send(writer, "small")
            assert not writer.is_circuit_open
            await eventually(lambda: "MessageSizeTooLarge" in writer.problems().get("spool", ""), "a problem")
            assert "event_log" not in writer.problems()

    asyncio.run(test())
    assert receipts_of(everything_in(settings)) == ["small"]
    assert on_the_spool(settings) == ["large"]
