"""Whatever log and spool do in whatever order: an append that returned is never lost."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.event_log.base import AppendFailed, EventLogError, Position, RecordRefused
from ingest.records import Headers, Topic
from ingest.settings import Settings
from ingest.spool import draining
from ingest.spool.writer import SpoolingWriter
from tests.spooling import eventually, on_the_spool, send, spooling
from tests.unit.memory_log import MemoryLog


@dataclass
class FickleLog(MemoryLog):
    """Answers each append by the next of its moods; takes everything once they are used up.

    `lost` fails a record, `late` fails one that is in the log all the same, `refused` says it is at fault.
    """

    moods: list[str] = field(default_factory=list)

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> asyncio.Future[Position]:
        mood = self.moods.pop() if self.moods else "well"
        if mood in {"well", "late"}:
            answer = super().append(topic, key, value, headers)
            if mood == "well":
                return answer
        failed: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        failed.set_exception(RecordRefused("bad") if mood == "refused" else AppendFailed("no answer"))
        return failed

    @property
    def receipts(self) -> list[str]:
        return [record.headers["receipt_id"].decode() for record in self.records]


_MOODS = st.lists(st.sampled_from(["well", "well", "lost", "late", "refused"]), max_size=40)
_LIFE = st.tuples(_MOODS, st.lists(st.integers(1, 12), max_size=4))


async def live(options: Settings, log: FickleLog, bursts: list[int], accepted: list[str]) -> None:
    """One process: starts, takes bursts of calls while it drains, and ends in order."""

    async def call(writer: SpoolingWriter) -> None:
        receipt = uuid.uuid4().hex
        try:
            await send(writer, receipt, Topic.ATTEMPTS if receipt.endswith("7") else Topic.EVENTS)
        except EventLogError:
            return
        accepted.append(receipt)

    async with spooling(options, log) as writer:
        for burst in bursts:
            await asyncio.gather(*[call(writer) for _ in range(burst)])
            await asyncio.sleep(0.01)  # the drain's turn, however far it gets


@pytest.fixture(autouse=True, scope="module")
def _impatient() -> Iterator[None]:
    """No long rests between two tries: what is tried here fails often, and never for long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draining, "RETRY_STUCK_SECONDS", 0.01)
        patch.setattr(draining, "RETRY_AWAY_SECONDS", 0.01)
        yield


@given(st.lists(_LIFE, min_size=1, max_size=3), st.integers(200, 5000))
@settings(max_examples=20, deadline=None)
def test_what_was_accepted_is_in_log_or_spool_and_in_the_log_once_it_is_well(
    lives: list[tuple[list[str], list[int]]], max_bytes: int
) -> None:
    log = FickleLog()
    accepted: list[str] = []

    async def finish(options: Settings) -> None:
        async with spooling(options, log) as writer:
            await eventually(lambda: set(accepted) <= set(log.receipts), "every accepted record")
            await eventually(lambda: not writer.spooled_records, "an empty spool")

    with tempfile.TemporaryDirectory() as folder:
        options = Settings(
            data_dir=Path(folder),
            append_timeout_seconds=1.0,
            spool_min_free_bytes=0,
            spool_max_bytes=max_bytes,
        )
        for moods, bursts in lives:
            log.moods = list(moods)
            asyncio.run(live(options, log, bursts, accepted))
            assert set(accepted) <= {*log.receipts, *on_the_spool(options)}
        log.moods = []
        # A spool that is adopted only now may hold what the log has already: the next life takes it away.
        for _ in range(len(lives) + 1):
            asyncio.run(finish(options))
        assert on_the_spool(options) == []
    assert not Counter(accepted) - Counter(log.receipts)
