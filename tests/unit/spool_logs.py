"""Event logs in memory that refuse single records, and count how often they are asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ingest.event_log.base import Position, RecordRefused
from ingest.records import Headers
from tests.unit.memory_log import MemoryLog, MemoryRecord


@dataclass
class PickyLog(MemoryLog):
    """A log in memory that refuses records with these values, and counts how often it is asked."""

    refused: set[bytes] = field(default_factory=set)
    asked: int = 0
    _batch: list[tuple[asyncio.Future[Position], MemoryRecord]] = field(default_factory=list)

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> asyncio.Future[Position]:
        self.asked += 1
        if value.strip() in self.refused:
            answer: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
            answer.set_exception(RecordRefused("too large"))
            return answer
        return super().append(topic, key, value, headers)

    @property
    def receipts(self) -> list[str]:
        return [record.headers["receipt_id"].decode() for record in self.records]


class BatchLog(PickyLog):
    """Takes what comes in one turn of the loop as a batch, and refuses all of it for one record's fault."""

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> asyncio.Future[Position]:
        if self.failure is not None:
            return super().append(topic, key, value, headers)
        if not self._batch:
            asyncio.get_running_loop().call_soon(self._answer)
        future: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        self._batch.append((future, MemoryRecord(topic, key, value, dict(headers))))
        return future

    def _answer(self) -> None:
        is_bad = any(record.value.strip() in self.refused for _, record in self._batch)
        for future, record in self._batch:
            if is_bad:
                future.set_exception(RecordRefused("a batch with a bad record"))
            else:
                self.records.append(record)
                future.set_result(Position(record.topic, 0, len(self.records)))
        self._batch.clear()
