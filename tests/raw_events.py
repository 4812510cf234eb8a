"""Lands events as raw files without a receiver or a log: the real columns, names and footers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from ingest.columns import OpenColumns
from ingest.event_log.base import Partition
from ingest.landed_files import LandedRange, files_of
from ingest.parquet_files import write_parquet
from ingest.raw_store.local import LocalStore
from ingest.records import ENVELOPE_VERSION, Header, Headers, Topic
from ingest.settings import Settings
from pipelines.simulation.dialects import rotation
from pipelines.simulation.recordings import simulated_nights
from pipelines.simulation.sleepers import population
from pipelines.simulation.traffic import traffic

LOG_ID: Final = "testlog"
EARLY: Final = datetime(2026, 1, 5, 23, 0, tzinfo=UTC)

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One call as the receiver writes it down; a `body` that is not text or bytes is sent as JSON."""

    body: Mapping[str, object] | str | bytes
    received_at: datetime = EARLY
    user_id: str | None = None
    """The x-user-id header."""
    receipt_id: str | None = None
    headers: Mapping[str, bytes] | None = None
    """Headers beside those that a receiver always writes, or in their place."""

    @property
    def value(self) -> bytes:
        """The body's bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()

    def record(self, partition: Partition, offset: int) -> _Record:
        """The event as a record of the log."""
        micros = round(self.received_at.timestamp() * 1_000_000)
        headers: dict[str, bytes] = {
            Header.RECEIPT_ID: (self.receipt_id or f"receipt-{next(_numbers):08}").encode(),
            Header.RECEIVED_AT: b"%d" % micros,
            Header.PATH: b"/webhook",
            Header.ENVELOPE: ENVELOPE_VERSION.encode(),
            Header.REMOTE_ADDRESS: b"127.0.0.1",
        }
        if self.user_id is not None:
            headers[Header.USER_ID] = self.user_id.encode()
        headers |= self.headers or {}
        return _Record(*partition, offset, micros // 1000, None, self.value, list(headers.items()))


class _Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def land(
    settings: Settings,
    events: Sequence[Event],
    *,
    topic: Topic = Topic.EVENTS,
    partition: int = 0,
    log_id: str = LOG_ID,
) -> Path:
    """Write the events as the next raw file of their partition; returns its path."""
    source = Partition(topic, partition)
    names = LocalStore(settings.raw_dir).names(topic)
    landed = (file.last_offset for file in files_of(names, source) if file.log_id == log_id)
    first = max(landed, default=-1) + 1
    columns = OpenColumns()
    for offset, event in enumerate(events, start=first):
        columns.add(event.record(source, offset))
    day = min(event.received_at for event in events).astimezone(UTC).date()
    range_ = LandedRange(log_id, topic, partition, first, first + len(events) - 1, day)
    path = settings.raw_dir / range_.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        write_parquet(file, pa.Table.from_batches([columns.seal(log_id, source)]), range_)
    return path


def simulated_events(*, users: int, days: int, seed: int = 7) -> list[Event]:
    """What a receiver accepts of simulated nights in every dialect, disorder and bad bodies among them."""
    sleepers = population(seed, users)
    calls = traffic(
        simulated_nights(sleepers, date(2026, 1, 5), days),
        rotation(sleeper.user_id for sleeper in sleepers),
        disorder_seed=seed,
    )
    return [
        Event(
            body=call.body,
            user_id=call.headers["x-user-id"],
            received_at=call.send_at,
            receipt_id=f"simulated-{number:06}",
        )
        for number, call in enumerate(calls)
        if call.expect == HTTPStatus.OK
    ]
