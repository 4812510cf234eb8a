"""What /healthz and /readyz say of one process."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from ingest.health import Health, health_routes


class Parts:
    """A spool and a log whose troubles a test sets, and whether events can be stored."""

    def __init__(self) -> None:
        self.log: str | None = None
        self.spool: str | None = None
        self.accepts = True
        self.health = Health(
            {"event_log": lambda: self.log, "spool": lambda: self.spool}, lambda: self.accepts
        )

    def get(self, path: str) -> httpx.Response:
        app = FastAPI()
        app.include_router(health_routes(self.health))

        async def scenario() -> httpx.Response:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
                return await client.get(path)

        return asyncio.run(scenario())

    def readyz(self) -> tuple[int, object]:
        reply = self.get("/readyz")
        return reply.status_code, reply.json()


@pytest.fixture
def parts() -> Parts:
    return Parts()


def test_a_receiver_is_ready_when_all_parts_are_well(parts: Parts) -> None:
    assert parts.readyz() == (200, {"status": "ready"})


def test_it_is_degraded_but_takes_calls_while_the_spool_stands_in_for_the_log(parts: Parts) -> None:
    parts.log = "no broker answers"
    assert parts.readyz() == (200, {"status": "degraded", "problems": {"event_log": "no broker answers"}})


def test_it_is_not_ready_when_neither_log_nor_spool_takes_events(parts: Parts) -> None:
    parts.log, parts.spool, parts.accepts = "no broker answers", "the disk is full", False
    assert parts.readyz() == (
        503,
        {"status": "not_ready", "problems": {"event_log": "no broker answers", "spool": "the disk is full"}},
    )


def test_it_is_not_ready_before_anything_is_proven_and_says_so(parts: Parts) -> None:
    parts.accepts = False
    status, reply = parts.readyz()
    assert status == 503
    assert reply == {
        "status": "not_ready",
        "problems": {"receiver": "it is not proven yet that events can be stored"},
    }


@pytest.mark.parametrize("log", [None, "no broker answers"])
def test_it_is_not_ready_while_it_stops_however_well_its_parts_are(parts: Parts, log: str | None) -> None:
    parts.log = log
    parts.health.stop()
    state, problems = parts.health.look()
    assert state == "not_ready"
    assert problems.keys() == ({"stopping"} if log is None else {"stopping", "event_log"})
    assert parts.readyz() == (503, {"status": "not_ready", "problems": problems})


def test_it_is_well_again_as_soon_as_its_parts_are(parts: Parts) -> None:
    parts.log, parts.accepts = "no broker answers", False
    assert parts.readyz()[0] == 503
    parts.log, parts.accepts = None, True
    assert parts.readyz() == (200, {"status": "ready"})


def test_the_process_lives_whatever_its_parts_do(parts: Parts) -> None:
    parts.log, parts.accepts = "no broker answers", False
    parts.health.stop()
    reply = parts.get("/healthz")
    assert (reply.status_code, reply.json()) == (200, {"status": "alive"})
