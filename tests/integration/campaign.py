"""What ends every test of a fault: nothing acknowledged is lost, and nobody waited long for an answer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from ingest.landed_files import landed_files
from ingest.raw_store import open_store
from ingest.records import Topic
from tests.integration.lander_process import LanderProcess, assert_each_landed_once
from tests.integration.receiver_process import wait_until

if TYPE_CHECKING:
    from ingest.settings import Settings
    from tests.integration.load import Load

LONGEST_ANSWER_SECONDS = 5.0
_DRAIN_SECONDS = 60.0


@dataclass(frozen=True)
class Proof:
    """What a campaign showed; `doubles` are rows that repeat a receipt, `unasked` ones without a 2xx."""

    accepted: int
    refused: int
    unanswered: int
    doubles: int
    unasked: int
    slowest_seconds: float


def spooled_records(settings: Settings) -> int:
    """Records on all spools below the settings' folder, whoever holds them."""
    return sum(map(_records_in, settings.spool_path.glob("*/spool.db")))


def wait_until_drained(settings: Settings) -> None:
    """Return once no spool holds a record."""
    wait_until(lambda: spooled_records(settings) == 0, "empty spools", _DRAIN_SECONDS)


def prove_nothing_is_lost(settings: Settings, load: Load) -> Proof:
    """Land the whole log, and fail unless it holds every acknowledged body; no receiver may run meanwhile."""
    lander = LanderProcess(settings, "--once")
    assert lander.wait() == 0, lander.logged("landing failed")
    report = assert_each_landed_once(settings, list(load.accepted), settings.data_dir)
    landed = _landed_bodies(settings)
    wrong = [receipt for receipt, body in load.accepted.items() if landed[receipt] != {body}]
    assert not wrong, f"landed with another body than was sent: {wrong[:10]} of {len(wrong)}"
    at_odds = [receipt for receipt, bodies in landed.items() if len(bodies) > 1]
    assert not at_odds, f"landed twice, with different bodies: {at_odds[:10]} of {len(at_odds)}"
    assert load.slowest_seconds < LONGEST_ANSWER_SECONDS, load.slowest_seconds
    assert report.receipts is not None
    proof = Proof(
        accepted=len(load.accepted),
        refused=len(load.refusals),
        unanswered=load.unanswered,
        doubles=report.receipts.repeated_rows,
        unasked=len(landed.keys() - load.accepted.keys()),
        slowest_seconds=round(load.slowest_seconds, 3),
    )
    print(proof)
    return proof


def _landed_bodies(settings: Settings) -> dict[str, set[bytes]]:
    """The bodies of all landed events by receipt id; one that was landed twice has one, or two at odds."""
    bodies: dict[str, set[bytes]] = {}
    for file in landed_files(open_store(settings), Topic.EVENTS):
        columns = pq.read_table(settings.raw_dir / file.name, columns=["receipt_id", "body"]).to_pydict()
        for receipt, body in zip(columns["receipt_id"], columns["body"], strict=True):
            bodies.setdefault(receipt, set()).add(body.encode())
    return bodies


def _records_in(spool: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{spool}?mode=ro", uri=True, timeout=5)) as database:
            (count,) = database.execute("SELECT count(*) FROM records").fetchone()
    except sqlite3.OperationalError as error:
        if spool.exists() and "no such table" not in str(error):
            raise
        return 0
    return int(count)
