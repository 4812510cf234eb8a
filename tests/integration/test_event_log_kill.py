"""kill -9 of the writer at any moment: what was acknowledged is in the log, exactly as it was sent."""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.event_log import PATIENCE_SECONDS, Sent, as_argument, everything_in

if TYPE_CHECKING:
    from ingest.settings import Settings

_PROGRAM = """
import asyncio, itertools, json, os, sys
from ingest.event_log import open_writer
from ingest.settings import Settings

async def append(writer, numbers):
    for number in numbers:
        key, value, header = (os.urandom(size) for size in (10, 200, 20))
        headers = [("number", b"%d" % number), ("raw", header)]
        position = await writer.append("asleep.events", key, value, headers)
        line = [list(position), number, key.hex(), value.hex(), header.hex()]
        os.write(1, (json.dumps(line) + "\\n").encode())

async def main():
    writer = open_writer(Settings(**json.loads(sys.argv[1])))
    writer.start()
    numbers = itertools.count()
    await asyncio.gather(*[append(writer, numbers) for _ in range(16)])

asyncio.run(main())
"""


def acknowledged_until_killed(settings: Settings, seconds: float) -> dict[tuple[str, int, int], Sent]:
    """Let a process append, kill it `seconds` after its first acknowledgement; what it was told."""
    told = b""
    command = [sys.executable, "-c", _PROGRAM, as_argument(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            while time.monotonic() < deadline:
                if select.select([process.stdout], [], [], 0.01)[0]:
                    some = os.read(process.stdout.fileno(), 1 << 20)
                    assert some, "the process ended by itself"
                    if not told:
                        deadline = time.monotonic() + seconds
                    told += some
        finally:
            process.kill()
        told += process.stdout.read()
    # The kill may have cut the last line short: then nobody was told.
    lines = [json.loads(line) for line in told.split(b"\n")[:-1]]
    return {
        (topic, partition, offset): Sent(
            bytes.fromhex(key),
            bytes.fromhex(value),
            [("number", str(number).encode()), ("raw", bytes.fromhex(header))],
        )
        for (topic, partition, offset), number, key, value, header in lines
    }


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(log_settings: Settings) -> None:
    rounds = 5 if log_settings.log_url.startswith("sqlite") else 3
    acknowledged: dict[tuple[str, int, int], Sent] = {}
    for _ in range(rounds):
        told = acknowledged_until_killed(log_settings, random.uniform(0.05, 0.5))
        assert told, "the process was killed before its first acknowledgement"
        assert not acknowledged.keys() & told.keys()
        acknowledged.update(told)
    found = {
        (record.topic, record.partition, record.offset): Sent.of(record)
        for record in everything_in(log_settings)
    }
    assert {position: found.get(position) for position in acknowledged} == acknowledged
