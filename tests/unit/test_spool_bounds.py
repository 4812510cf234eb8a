"""How much a spool takes: its bytes, the share of rejected calls, the free disk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.event_log.base import LogUnavailable
from ingest.event_log.sqlite_file import encode_headers
from ingest.records import Topic
from ingest.settings import Settings
from ingest.spool.holding import ROW_BYTES, Bounds, Holding, SpoolFull, held_bytes
from tests.spooling import eventually, headers_of, send, spooling
from tests.unit.memory_log import MemoryLog

if TYPE_CHECKING:
    from pathlib import Path

AWAY = LogUnavailable("the log is away")
ONE = held_bytes(b"key", b"12345", headers_of(0))


def settings_of(tmp_path: Path, *, max_bytes: int = 1024**3, min_free_bytes: int = 0) -> Settings:
    return Settings(data_dir=tmp_path, spool_max_bytes=max_bytes, spool_min_free_bytes=min_free_bytes)


def test_beyond_its_bytes_a_spool_is_full_at_once_and_takes_more_once_it_is_drained(tmp_path: Path) -> None:
    log = MemoryLog(failure=AWAY, trouble="away")

    async def test() -> None:
        async with spooling(settings_of(tmp_path, max_bytes=10 * ONE), log) as writer:
            for number in range(10):
                await send(writer, number)
            assert writer.spooled_bytes == 10 * ONE
            assert writer.accepts()
            with pytest.raises(SpoolFull, match="ASLEEP_SPOOL_MAX_BYTES"):
                await send(writer, 0)
            assert writer.spooled_bytes == 10 * ONE
            assert not writer.accepts()
            assert "is full" in writer.problems()["spool"]

            log.failure = log.trouble = None
            await eventually(lambda: not writer.spooled_records, "a drained spool")
            assert writer.accepts()
            assert writer.problems() == {}
            log.failure = AWAY
            for number in range(10):
                await send(writer, number)

    asyncio.run(test())


def test_calls_at_the_same_time_do_not_get_beyond_the_bound_together(tmp_path: Path) -> None:
    async def test() -> None:
        async with spooling(settings_of(tmp_path, max_bytes=10 * ONE), MemoryLog(failure=AWAY)) as writer:
            calls = [send(writer, number % 10) for number in range(50)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert sum(isinstance(answer, SpoolFull) for answer in answers) == 40
            assert (writer.spooled_records, writer.spooled_total) == (10, 10)

    asyncio.run(test())


def test_rejected_calls_can_not_take_the_room_of_events(tmp_path: Path) -> None:
    async def test() -> None:
        async with spooling(settings_of(tmp_path, max_bytes=10 * ONE), MemoryLog(failure=AWAY)) as writer:
            for number in range(5):
                await send(writer, number, Topic.ATTEMPTS)
            with pytest.raises(SpoolFull, match="half"):
                await send(writer, 0, Topic.ATTEMPTS)
            assert writer.accepts()
            for number in range(5):
                await send(writer, number)
            with pytest.raises(SpoolFull):
                await send(writer, 0)

    asyncio.run(test())


def test_a_disk_with_less_free_than_set_takes_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        log = MemoryLog(failure=AWAY, trouble="away")
        settings = settings_of(tmp_path, min_free_bytes=1 << 60)
        async with spooling(settings.model_copy(update={"spool_min_free_bytes": 0}), log) as writer:
            writer._keeper._bounds._min_free_bytes = settings.spool_min_free_bytes
            await eventually(lambda: not writer.accepts(), "a look at the disk")
            assert "ASLEEP_SPOOL_MIN_FREE_BYTES" in writer.problems()["spool"]
            with pytest.raises(SpoolFull, match="make room"):
                await send(writer, 0)
            writer._keeper._bounds._min_free_bytes = 0
            await eventually(writer.accepts, "another look at the disk")
            await send(writer, 0)

    asyncio.run(test())


@given(
    st.none() | st.binary(max_size=50),
    st.binary(max_size=50),
    st.lists(st.tuples(st.text(st.characters(codec="ascii"), max_size=9), st.binary(max_size=9))),
)
def test_a_record_counts_for_what_is_stored_of_it(
    key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
) -> None:
    assert held_bytes(key, value, headers) == ROW_BYTES + len(key or b"") + len(value) + len(
        encode_headers(headers)
    )


def test_a_holding_never_counts_below_nothing() -> None:
    holding = Holding()
    holding.add("topic", 10)
    holding.remove("topic", 10)
    holding.remove("topic", 10)
    assert (holding.records, holding.bytes, holding.bytes_of("topic")) == (0, 0, 0)


def test_a_spool_is_full_only_until_something_leaves_it() -> None:
    bounds, holding = Bounds(100, 0), Holding()
    holding.add(Topic.EVENTS, 90)
    with pytest.raises(SpoolFull):
        bounds.check(holding, Topic.EVENTS, 11)
    assert bounds.problem(holding) is not None
    holding.remove(Topic.EVENTS, 1)
    assert bounds.problem(holding) is None
    bounds.check(holding, Topic.EVENTS, 11)
