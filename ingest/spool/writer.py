"""Log first, spool second: what the event log does not take in time is made durable on this machine."""

from __future__ import annotations

import asyncio
import time

from ingest.event_log.base import EventLogError, EventLogWriter, RecordRefused
from ingest.records import Headers, Topic
from ingest.settings import Settings
from ingest.spool.circuit import Circuit
from ingest.spool.draining import Drain, SpoolThread
from ingest.spool.file import SpoolUnavailable
from ingest.spool.keeper import SpoolKeeper


class SpoolingWriter:
    """Appends to the log, or to the spool while the log is away; lives on one event loop, never blocks it.

    An append that fails, and during which the log has acknowledged nothing else, opens the circuit: until a
    record is acknowledged again, events go straight to the spool. Refused calls never open it: whoever makes
    them may be a stranger. From then on new ones go to the log while the spool is still drained, oldest
    first: within a session the order is that of `received_at`, not that of the log. A record may come to be
    in the log twice, with the same receipt id.
    """

    def __init__(self, settings: Settings, log: EventLogWriter) -> None:
        self._log = log
        self._circuit = Circuit()
        thread = SpoolThread()
        self._drain = Drain(log, self._circuit, thread)
        self._keeper = SpoolKeeper(settings, self._circuit, self._drain, thread)

    def start(self) -> None:
        """Open log and spool in the background, on the running loop."""
        self._log.start()
        self._keeper.start()

    async def append(self, topic: str, key: bytes | None, value: bytes, headers: Headers) -> None:
        """Return once the record is durable in the log or on the spool.

        Raises SpoolFull, or another EventLogError, when it is in neither as far as we know: after twice the
        append time-out at the latest.
        """
        if self._circuit.is_open:
            await self._append_while_open(topic, key, value, headers)
            return
        acknowledged = self._circuit.acknowledged
        try:
            await self._log.append(topic, key, value, headers)
        except EventLogError as error:
            is_away = acknowledged == self._circuit.acknowledged and not isinstance(error, RecordRefused)
            if is_away and topic != Topic.ATTEMPTS:
                self._circuit.open(error)
            await self._append_to_spool(topic, key, value, headers)
        else:
            self._circuit.acknowledged += 1

    def problems(self) -> dict[str, str]:
        """What is not well, in words, by part: `event_log`, `spool`; empty when all is."""
        found = {}
        of_log = self._log.problem() or (self._circuit.cause if self._circuit.is_open else None)
        if of_log is not None:
            found["event_log"] = of_log
        of_spools = self._keeper.troubles()
        if of_spools:
            found["spool"] = "; ".join(of_spools)
        return found

    def accepts(self) -> bool:
        """Whether an append can succeed now, through the log or the spool."""
        if not self._circuit.is_open and self._log.problem() is None:
            return True
        store = self._keeper.store
        return store is not None and store.problem() is None

    async def close(self) -> None:
        """Finish what is in flight, within three append time-outs; what is left stays on the spool."""
        await self._keeper.stop_draining()
        await self._log.close()
        # Appends that failed with the log's end go to the spool in the loop's next turn.
        await asyncio.sleep(0)
        await self._keeper.close()

    @property
    def is_circuit_open(self) -> bool:
        """Whether events go straight to the spool."""
        return self._circuit.is_open

    @property
    def spooled_records(self) -> int:
        """Records on the spools of this process, adopted ones included."""
        return sum(spool.holding.records for spool in self._keeper.spools())

    @property
    def spooled_bytes(self) -> int:
        """Bytes on the spools of this process, adopted ones included."""
        return sum(spool.holding.bytes for spool in self._keeper.spools())

    @property
    def oldest_age_seconds(self) -> float:
        """Time on the spool of the record that is next to be drained; 0 without one."""
        oldest = [
            spool.oldest_ms for spool in self._keeper.spools() if spool.oldest_ms and spool.holding.records
        ]
        return max(0.0, time.time() - min(oldest) / 1000) if oldest else 0.0

    @property
    def drained_total(self) -> int:
        """Records moved from spools into the log since the start."""
        return self._drain.drained_total

    @property
    def spooled_total(self) -> int:
        """Records that were made durable on the spool since the start."""
        return 0 if self._keeper.store is None else self._keeper.store.appended

    async def _append_while_open(self, topic: str, key: bytes | None, value: bytes, headers: Headers) -> None:
        if topic != Topic.ATTEMPTS and self._circuit.take_trial():
            try:
                await self._log.append(topic, key, value, headers)
            except EventLogError as error:
                self._circuit.open(error)
            else:
                self._circuit.acknowledged += 1
                self._circuit.close()
                return
        await self._append_to_spool(topic, key, value, headers)

    async def _append_to_spool(self, topic: str, key: bytes | None, value: bytes, headers: Headers) -> None:
        store = self._keeper.store
        if store is None:
            raise SpoolUnavailable(f"no spool yet: {'; '.join(self._keeper.troubles())}")
        await store.append(topic, key, value, headers)
        self._keeper.wake()
