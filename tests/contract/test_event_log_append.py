"""What every event log promises to whoever appends; the Kafka one on a real broker."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingest.event_log import open_writer
from ingest.event_log.base import AppendFailed
from ingest.records import Topic
from tests.event_log import (
    PATIENCE_SECONDS,
    RECORD,
    Sent,
    append_all,
    as_argument,
    everything_in,
    numbered,
    writing,
)

if TYPE_CHECKING:
    from ingest.event_log.base import Position
    from ingest.settings import Settings

records = st.builds(
    Sent,
    key=st.none() | st.binary(max_size=60),
    value=st.binary(max_size=300),
    headers=st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=60)), max_size=6),
)

_READ = """
import json, sys
from ingest.settings import Settings
from tests.event_log import everything_in

print([record.value for record in everything_in(Settings(**json.loads(sys.argv[1])))])
"""


def test_an_acknowledged_record_is_where_its_position_says(log_settings: Settings) -> None:
    async def run() -> None:
        async with writing(log_settings) as writer:
            position = await writer.append(Topic.EVENTS, *RECORD)
            (found,) = await asyncio.to_thread(everything_in, log_settings)
            assert (found.topic, found.partition, found.offset) == position
            assert Sent.of(found) == RECORD

    asyncio.run(run())


def test_an_acknowledged_record_is_there_for_a_process_that_starts_afterwards(log_settings: Settings) -> None:
    def read() -> bytes:
        return subprocess.check_output(
            [sys.executable, "-c", _READ, as_argument(log_settings)],
            timeout=PATIENCE_SECONDS,
            cwd=Path(__file__).parents[2],
        )

    async def run() -> bytes:
        async with writing(log_settings) as writer:
            await writer.append(Topic.EVENTS, *RECORD)
            return await asyncio.to_thread(read)

    assert asyncio.run(run()).strip() == b"[b'value']"


def test_a_record_says_when_the_log_took_it(log_settings: Settings) -> None:
    before_ms = int(time.time() * 1000)
    append_all(log_settings, [RECORD])
    (found,) = everything_in(log_settings)
    assert before_ms <= found.timestamp <= int(time.time() * 1000)


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sent=st.lists(records, min_size=20, max_size=60))
@example(
    sent=[
        Sent(None, b"", []),
        Sent(b"", b"\x00", [("", b"")]),
        Sent(b"\xff\x00", b"\xff" * 300, [("twice", b"1"), ("twice", b"2"), ("\N{SNOWMAN}", b"\x80\x00")]),
    ]
)
def test_keys_values_and_headers_come_out_byte_for_byte(log_settings: Settings, sent: list[Sent]) -> None:
    positions = append_all(log_settings, sent)
    found = {
        (record.topic, record.partition, record.offset): record for record in everything_in(log_settings)
    }
    assert [Sent.of(found[position]) for position in positions] == sent


def test_records_of_one_key_keep_the_order_in_which_they_were_appended(log_settings: Settings) -> None:
    keys = [b"a", b"b", b"c", b"d", b"e"]
    sent = [Sent(keys[number % 5], str(number).encode(), []) for number in range(500)]
    append_all(log_settings, sent)
    found = [Sent.of(record) for record in everything_in(log_settings)]
    for key in keys:
        assert [each for each in found if each.key == key] == [each for each in sent if each.key == key]


def test_several_writers_share_one_log(log_settings: Settings) -> None:
    async def run() -> list[Position]:
        async with writing(log_settings) as one, writing(log_settings) as two, writing(log_settings) as three:
            return await asyncio.gather(
                *[
                    writer.append(Topic.EVENTS, None, str(number).encode(), [])
                    for number in range(100)
                    for writer in (one, two, three)
                ]
            )

    positions = asyncio.run(run())
    assert len(set(positions)) == 300
    found = {(record.topic, record.partition, record.offset) for record in everything_in(log_settings)}
    assert found == set(positions)


def test_the_largest_record_that_the_settings_allow_fits(log_settings: Settings) -> None:
    name = b"s" * log_settings.max_body_bytes
    largest = Sent(name, name, [("session_id", name), ("user_id", b"u" * 60_000)])
    append_all(log_settings, [largest])
    assert [Sent.of(record) for record in everything_in(log_settings)] == [largest]


def test_close_waits_for_the_appends_in_flight(log_settings: Settings) -> None:
    async def run() -> list[Position]:
        writer = open_writer(log_settings)
        writer.start()
        futures = [writer.append(Topic.EVENTS, *each) for each in numbered(50)]
        await writer.close()
        assert all(future.done() for future in futures)
        return [future.result() for future in futures]

    acknowledged = {position.offset for position in asyncio.run(run())}
    assert {record.offset for record in everything_in(log_settings)} == acknowledged


def test_a_closed_writer_refuses_and_says_so(log_settings: Settings) -> None:
    async def run() -> None:
        async with writing(log_settings) as writer:
            await writer.append(Topic.EVENTS, *RECORD)
        assert writer.problem() is not None
        with pytest.raises(AppendFailed, match="closed"):
            await writer.append(Topic.EVENTS, *RECORD)

    asyncio.run(run())


def test_a_writer_has_a_problem_until_it_is_connected(log_settings: Settings) -> None:
    async def run() -> None:
        writer = open_writer(log_settings)
        assert writer.problem() is not None
        writer.start()
        await writer.append(Topic.EVENTS, *RECORD)
        assert writer.problem() is None
        await writer.close()

    asyncio.run(run())


def test_a_caller_that_gives_up_disturbs_nobody_else(log_settings: Settings) -> None:
    async def run() -> None:
        async with writing(log_settings) as writer:
            futures = [writer.append(Topic.EVENTS, *each) for each in numbered(30)]
            for future in futures[::3]:
                future.cancel()
            positions = await asyncio.gather(*[future for future in futures if not future.cancelled()])
            assert len(set(positions)) == 20

    asyncio.run(run())
