"""The receiver's metrics on a spool that is told what to say, and what their page shows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import httpx
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from ingest.metrics.numbers import Metrics
from ingest.metrics.page import metrics_routes
from ingest.records import Reason

REASONS = (Reason.WRONG_API_KEY, Reason.BODY_NOT_JSON, Reason.LOG_UNAVAILABLE)


@dataclass
class Spool:
    """What a spooling writer tells of itself."""

    spooled_records: int = 0
    spooled_bytes: int = 0
    oldest_age_seconds: float = 0.0
    spooled_total: int = 0
    drained_total: int = 0
    is_circuit_open: bool = False


@dataclass
class World:
    """Metrics, what they are about, and the page that shows them."""

    spool: Spool = field(default_factory=Spool)
    pending: int = 0

    def __post_init__(self) -> None:
        self.metrics = Metrics(REASONS, self.spool, lambda: self.pending)
        self.app = FastAPI()
        self.app.include_router(metrics_routes(self.metrics))

    def look(self, accept: str = "text/plain") -> httpx.Response:
        async def scenario() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
                return await client.get("/metrics", headers={"accept": accept})

        return asyncio.run(scenario())

    def samples(self) -> dict[tuple[str, str], float]:
        """What the page shows."""
        return samples_of(self.look().text)


def samples_of(page: str) -> dict[tuple[str, str], float]:
    """Values by name, without the prefix of all, and by the values of its labels, ordered by their names."""
    samples = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = " ".join(value for _, value in sorted(sample.labels.items()) if value)
            samples[sample.name.removeprefix("asleep_receiver_"), labels] = sample.value
    return samples
