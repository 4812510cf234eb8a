"""Adds up the numbers of several receiver processes, so that any of them can show those of all.

prometheus_client's own multiprocess mode costs a call 6 us of its 100, and its memory-mapped files end the
process with SIGBUS when their disk is full. Here each process leaves its numbers in a file of its own.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import orjson
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from ingest.durable_files import FileOperations
from ingest.telemetry import log_event

SHARE_SECONDS: Final = 1.0
"""How old the numbers of another process may be, and what kill -9 takes with it."""
LARGEST: Final = frozenset({"asleep_receiver_spool_oldest_age_seconds"})
"""Samples of which the largest is shown; of the others it is the sum of all processes."""

_log = logging.getLogger(__name__)


class _Number(NamedTuple):
    family: str
    type: str
    sample: str
    labels: tuple[tuple[str, str], ...]
    value: float


class SharedMetrics(Collector):
    """A collector over the numbers of all processes that share `folder`, which their parent makes for them.

    Of a process that has ended, the counters and histograms stay in the sum and the gauges do not.
    """

    def __init__(self, numbers: Collector, folder: Path) -> None:
        self._numbers = numbers
        self._folder = folder
        self._name = secrets.token_hex(8)
        self._life: BinaryIO | None = None
        self._closing = asyncio.Event()
        self._sharing: asyncio.Task[None] | None = None
        self._has_failed = False

    def start(self) -> None:
        """Begin to leave our numbers for the others, once a second, on the running loop."""
        self._sharing = asyncio.get_running_loop().create_task(self._share_each_second())

    async def close(self) -> None:
        """Leave the last numbers; call it after the last call was counted."""
        self._closing.set()
        if self._sharing is not None:
            await self._sharing
        if self._life is not None:
            self._life.close()

    def collect(self) -> Iterator[Metric]:
        """The families of this process, with the numbers of all."""
        families = list(self._numbers.collect())
        totals = {
            family.name: {_key(sample): sample.value for sample in family.samples} for family in families
        }
        for number in self._numbers_of_others():
            values, key = totals[number.family], (number.sample, number.labels)
            combined = (values.get(key, 0.0), number.value)
            values[key] = max(combined) if number.sample in LARGEST else sum(combined)
        for family in families:
            family.samples = [
                Sample(name, dict(labels), value) for (name, labels), value in totals[family.name].items()
            ]
            yield family

    async def _share_each_second(self) -> None:
        while not self._closing.is_set():
            await self._share()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), SHARE_SECONDS)
        await self._share()

    async def _share(self) -> None:
        numbers = orjson.dumps(list(_plain(self._numbers.collect())))
        try:
            await asyncio.to_thread(self._write, numbers)
        except OSError as error:
            if not self._has_failed:
                log_event(_log, logging.WARNING, "metrics not shared with other processes", error=str(error))
            self._has_failed = True
        else:
            self._has_failed = False

    def _write(self, numbers: bytes) -> None:
        if self._life is None:
            self._life = FileOperations().create(self._folder / f"{self._name}.alive")
        path = self._folder / f"{self._name}.json"
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(numbers)
        temporary.replace(path)

    def _numbers_of_others(self) -> Iterator[_Number]:
        for path in sorted(self._folder.glob("*.json")):
            if path.stem == self._name:
                continue
            try:
                lives, numbers = _is_locked(path.with_suffix(".alive")), path.read_bytes()
            except FileNotFoundError:
                # Whoever removes the files of a receiver takes it for dead.
                continue
            for family, kind, sample, labels, value in orjson.loads(numbers):
                if lives or kind != "gauge":
                    yield _Number(family, kind, sample, tuple(map(tuple, labels)), value)


def _plain(families: Iterable[Metric]) -> Iterator[tuple[object, ...]]:
    """The fields of each _Number."""
    for family in families:
        if family.type != "info":
            for sample in family.samples:
                yield family.name, family.type, *_key(sample), sample.value


def _key(sample: Sample) -> tuple[str, tuple[tuple[str, str], ...]]:
    return sample.name, tuple(sample.labels.items())


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
