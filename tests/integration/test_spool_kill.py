"""kill -9 of a process that spools, or drains a spool, at any moment: what was accepted gets into the log."""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import time

import pytest

from ingest.settings import Settings
from ingest.spool.by_hand import drain
from tests.event_log import PATIENCE_SECONDS, as_argument, everything_in
from tests.spooling import leave_spool, make_log, on_the_spool, receipts_of, spool_files

_DRAIN = """
import json, os, sys
from ingest.spool.by_hand import drain
from ingest.settings import Settings

settings = Settings(**json.loads(sys.argv[1]))
drain(settings, settings.spool_path, lambda path, done, held: os.write(1, b"%d\\n" % done))
"""

_WORK = """
import asyncio, json, os, sys, time, uuid
from ingest.event_log import open_writer
from ingest.event_log.base import AppendFailed, EventLogError
from ingest.settings import Settings
from ingest.spool.writer import SpoolingWriter

class FickleLog:
    # Takes records and refuses them by turns, a tenth of a second each.
    def __init__(self, log):
        self.log = log
        self.start, self.problem, self.close = log.start, log.problem, log.close

    def append(self, *record):
        if int(time.monotonic() * 10) % 2:
            return self.log.append(*record)
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(AppendFailed("not now"))
        return failed

async def work(writer):
    while True:
        receipt = uuid.uuid4().hex.encode()
        try:
            await writer.append("asleep.events", b"key", receipt, [("receipt_id", receipt)])
        except EventLogError:
            await asyncio.sleep(0.01)
        else:
            os.write(1, receipt + b"\\n")

async def main():
    settings = Settings(**json.loads(sys.argv[1]), spool_min_free_bytes=0)
    writer = SpoolingWriter(settings, FickleLog(open_writer(settings)))
    writer.start()
    await asyncio.gather(*[work(writer) for _ in range(8)])

asyncio.run(main())
"""


def run_and_kill(program: str, settings: Settings, seconds: float) -> tuple[list[str], bool]:
    """Run the program until `seconds` after its first line; its whole lines, and whether it had ended."""
    told = b""
    command = [sys.executable, "-c", program, as_argument(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            while time.monotonic() < deadline:
                if select.select([process.stdout], [], [], 0.005)[0]:
                    some = os.read(process.stdout.fileno(), 1 << 20)
                    if not some:
                        return told.decode().split("\n")[:-1], process.wait(PATIENCE_SECONDS) == 0
                    if not told:
                        deadline = time.monotonic() + seconds
                    told += some
        finally:
            process.kill()
        told += process.stdout.read()
    assert told, "the program never began"
    return told.decode().split("\n")[:-1], False


def drain_all(settings: Settings) -> None:
    spools = drain(settings, settings.spool_path, lambda *_: None)
    assert all(spool.ok and not spool.is_in_use for spool in spools), spools
    assert spool_files(settings) == []


@pytest.mark.slow
def test_a_drain_killed_at_any_moment_loses_nothing(log_settings: Settings) -> None:
    records = 6_000
    make_log(log_settings)
    leave_spool(log_settings, range(records))
    kills = 0
    for _ in range(6):
        _, has_ended = run_and_kill(_DRAIN, log_settings, random.uniform(0, 0.08))
        if has_ended:
            break
        kills += 1
    assert kills, "the drain was too fast to be killed"
    drain_all(log_settings)

    found = receipts_of(everything_in(log_settings))
    assert set(found) == {str(number) for number in range(records)}
    # Only what was in flight at a kill is there twice.
    assert len(found) - records <= kills * 256


@pytest.mark.slow
def test_a_worker_killed_while_it_spools_and_drains_loses_nothing(log_settings: Settings) -> None:
    accepted: list[str] = []
    for _ in range(4):
        told, has_ended = run_and_kill(_WORK, log_settings, random.uniform(0.1, 0.6))
        assert not has_ended
        accepted += told
    assert len(accepted) > 100
    log = receipts_of(everything_in(log_settings))
    assert set(accepted) <= {*log, *on_the_spool(log_settings)}
    drain_all(log_settings)
    assert set(accepted) <= set(receipts_of(everything_in(log_settings)))
