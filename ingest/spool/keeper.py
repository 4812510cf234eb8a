"""Keeps the spools of one process: opens its own, adopts those of the dead, drains all in the background."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from ingest.settings import Settings
from ingest.spool import own as own_spool
from ingest.spool.adoption import AdoptedSpools
from ingest.spool.circuit import Circuit
from ingest.spool.draining import Drain, HeldSpool, SpoolThread, Step
from ingest.spool.file import SpoolUnavailable
from ingest.spool.folders import log_address
from ingest.spool.holding import Bounds
from ingest.spool.store import SpoolStore
from ingest.spool.troubles import Troubles
from ingest.telemetry import log_event

_log = logging.getLogger(__name__)

_IDLE_SECONDS: Final = 1.0
_ADOPT_SECONDS: Final = 3.0
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0


class SpoolKeeper:
    """The spools of one process; `store` appends to its own, and is None until that is made."""

    def __init__(self, settings: Settings, circuit: Circuit, drain: Drain, thread: SpoolThread) -> None:
        self.store: SpoolStore | None = None
        self._settings = settings
        self._root = settings.spool_path
        self._circuit = circuit
        self._drain = drain
        self._thread = thread
        self._bounds = Bounds(settings.spool_max_bytes, settings.spool_min_free_bytes)
        self._own: HeldSpool | None = None
        self._troubles = Troubles()
        self._troubles.expect(self._root, f"the spool in {self._root} is not open yet")
        self._adopted = AdoptedSpools(settings, thread, self._troubles)
        self._look_for_dead_at = 0.0
        self._appended_before = 0
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, on the running loop; never blocks."""
        self._tasks = [asyncio.create_task(self._keep()), asyncio.create_task(self._watch_disk())]

    def wake(self) -> None:
        """Say that there is something to drain."""
        self._wake.set()

    def spools(self) -> Iterator[HeldSpool]:
        """All spools that this process holds, its own first."""
        if self._own is not None:
            yield self._own
        yield from self._adopted.held

    def troubles(self) -> list[str]:
        """What an operator must know of the spools, in sentences."""
        of_the_store = None if self.store is None else self.store.problem()
        of_refusals = (spool.refusals() for spool in self.spools() if spool.refused)
        of_waiting = filter(None, (spool.waits() for spool in self.spools()))
        return [*self._troubles.texts(), *filter(None, (of_the_store,)), *of_refusals, *of_waiting]

    async def stop_draining(self) -> None:
        """Return once the batch in flight is settled."""
        self._closing.set()
        self._wake.set()
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Let go of all spools: an empty one is removed, another is left for the next process."""
        if self.store is not None:
            await self.store.close()
        for spool in list(self.spools()):
            try:
                await self._thread.run(own_spool.close, spool)
            except (OSError, SpoolUnavailable) as error:
                self._troubles.tell(spool.folder.path, error)
        self._thread.end()

    async def _keep(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._closing.is_set():
            self._wake.clear()
            try:
                is_well = await self._go_round()
            except Exception:  # noqa: BLE001  said aloud, and tried again: who else would drain the spools?
                _log.critical("the spools are not drained, by a fault of ours", exc_info=True)
                self._troubles.expect(
                    self._root, "the spools are not drained, by a fault of ours: see the log"
                )
                is_well = False
            if is_well:
                pause = _FIRST_PAUSE_SECONDS
                await _set_within(self._wake, _IDLE_SECONDS)
            else:
                await _set_within(self._closing, pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _go_round(self) -> bool:
        if self._own is None:
            await self._open_own()
        if time.monotonic() > self._look_for_dead_at:
            await self._look_for_dead()
        return await self._drain_all()

    async def _open_own(self) -> None:
        try:
            own = await self._thread.run(
                own_spool.make,
                self._root,
                log_address(self._settings),
                self._settings.append_timeout_seconds,
                self._bounds.look_at,
            )
        except (OSError, SpoolUnavailable) as error:
            self._troubles.tell(self._root, error)
            return
        self._own = own
        try:
            # Before there is a store that could fill the disk.
            await self._tidy(own)
        except (OSError, SpoolUnavailable) as error:
            self._troubles.tell(own.file.reserve, error)
        self.store = SpoolStore(self._settings, f"sqlite:///{own.file.path}", own.holding, self._bounds)
        self.store.appended = self._appended_before
        self.store.start()
        self._troubles.over(self._root)

    async def _look_for_dead(self) -> None:
        self._look_for_dead_at = time.monotonic() + _ADOPT_SECONDS
        try:
            # Also without a spool of our own: draining the dead may be what makes room for it.
            await self._adopted.look(None if self._own is None else self._own.folder.path)
        except OSError as error:
            self._troubles.tell(self._root, error)
        else:
            if self._own is not None:
                self._troubles.over(self._root)

    async def _drain_all(self) -> bool:
        """Drain every spool until it is empty; False where the log or a spool is in the way."""
        well = True
        for spool in list(self.spools()):
            step: Step | None = Step.MOVED
            while step is Step.MOVED and not self._closing.is_set():
                step = await self._step(spool)
            if step is Step.LOG_AWAY:
                return False
            if step is Step.EMPTY and spool is not self._own:
                await self._adopted.let_go(spool)
            well = well and step is not None
        return well

    async def _step(self, spool: HeldSpool) -> Step | None:
        """One step of the drain; None where the spool itself is in the way."""
        try:
            if spool is self._own:
                step = await self._step_of_own(spool)
            else:
                step = await self._drain.step(spool)
        except (OSError, SpoolUnavailable) as error:
            if spool is self._own:
                self._troubles.tell(spool.folder.path, error)
            else:
                await self._adopted.give_up(spool, error)
            return None
        self._troubles.over(spool.folder.path)
        return step

    async def _step_of_own(self, own: HeldSpool) -> Step:
        before = None if self.store is None else self.store.appended
        step = await self._drain.step(own)
        if step is Step.EMPTY and own is self._own:
            if own.holding.records != own.refused and self._nothing_came_since(before):
                # Appends that were given up and might have been stored were not: they count no more.
                found = await self._thread.run(own.file.holding)
                if self._nothing_came_since(before):
                    own.holding.become(found)
            await self._tidy(own)
        return step

    async def _tidy(self, own: HeldSpool) -> None:
        no_reserve = await self._thread.run(own_spool.tidy, own, self._settings.spool_min_free_bytes)
        if no_reserve is None or own is not self._own:
            self._troubles.over(own.file.reserve)
        else:
            self._troubles.tell(own.file.reserve, no_reserve)

    def _nothing_came_since(self, before: int | None) -> bool:
        return self.store is not None and before == self.store.appended and not self.store.in_flight

    async def _watch_disk(self) -> None:
        while True:
            await self._look_at_own()
            with suppress(OSError):  # a folder that is not there is already told as a trouble
                await asyncio.to_thread(self._bounds.look_at, self._root)
            await asyncio.sleep(_IDLE_SECONDS)

    async def _look_at_own(self) -> None:
        own, store = self._own, self.store
        if own is None or store is None or not await asyncio.to_thread(own_spool.is_gone, own):
            return
        log_event(
            _log,
            logging.CRITICAL,
            "the spool in use was removed or replaced: another is made, what can still be read is drained",
            spool=str(own.folder.path),
            records=own.holding.records,
        )
        self._own = self.store = None
        self._appended_before = store.appended
        self._adopted.held.append(own)
        self._troubles.over(own.file.reserve)
        self._wake.set()
        await store.close()


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
