"""The routes beside the hot path: health, other methods, the OpenAPI description."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from ingest.receiver import Receiver
from ingest.webhook import WEBHOOK_PATHS
from tests.unit.asgi_calls import EVENT, KEY, Caller, Reply, post, receiver
from tests.unit.memory_log import MemoryLog


def _request(log: MemoryLog, method: str, path: str, **options: Any) -> httpx.Response:
    async def scenario() -> httpx.Response:
        transport = httpx.ASGITransport(app=receiver(log))
        async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
            return await client.request(method, path, **options)

    return asyncio.run(scenario())


def _get(app: Receiver, path: str) -> Reply:
    return asyncio.run(Caller([b""], path=path, method="GET").call(app))


def test_healthz_answers_whatever_the_log_does() -> None:
    reply = _request(MemoryLog(trouble="away"), "GET", "/healthz")
    assert (reply.status_code, reply.json()) == (200, {"status": "alive"})


def test_readyz_names_the_part_that_is_not_well_and_needs_the_log_or_the_spool() -> None:
    log = MemoryLog(trouble="no broker answers at 192.0.2.1:9092")
    reply = _request(log, "GET", "/readyz")
    assert (reply.status_code, reply.json()["status"]) == (503, "not_ready")
    # The spool is opened when the receiver starts, and here it never does.
    assert reply.json()["problems"].keys() == {"event_log", "spool"}
    assert reply.json()["problems"]["event_log"] == "no broker answers at 192.0.2.1:9092"
    log.trouble = None
    reply = _request(log, "GET", "/readyz")
    assert (reply.status_code, reply.json()["status"]) == (200, "degraded")


@pytest.mark.parametrize("path", WEBHOOK_PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_told_to_post(path: str, method: str) -> None:
    log = MemoryLog()
    reply = _request(log, method, path, headers={"x-api-key": KEY})
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    assert reply.json()["error"] == "method_not_allowed"
    assert log.records == []


def test_an_unknown_path_is_not_found_and_not_stored() -> None:
    log = MemoryLog()
    reply = _request(log, "POST", "/webhooks", content=EVENT, headers={"x-api-key": KEY})
    assert (reply.status_code, reply.json()["error"]) == (404, "not_found")
    assert log.records == []


@pytest.mark.parametrize("path", WEBHOOK_PATHS)
def test_a_path_with_a_slash_too_many_is_not_found_and_nobody_is_sent_elsewhere_with_the_key(
    path: str,
) -> None:
    log = MemoryLog()
    headers = {"x-api-key": KEY, "host": "attacker.example"}
    reply = _request(log, "POST", f"{path}/", content=EVENT, headers=headers)
    assert (reply.status_code, reply.json()["error"]) == (404, "not_found")
    assert "location" not in reply.headers


def test_the_description_is_written_once_however_often_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = receiver(MemoryLog())
    first = _get(app, "/openapi.json")
    assert first.headers[b"content-type"] == b"application/json"
    assert first.json == orjson.loads(orjson.dumps(app.openapi(), option=orjson.OPT_NON_STR_KEYS))
    monkeypatch.setattr(Receiver, "openapi", None)
    assert _get(app, "/openapi.json").body == first.body


def test_the_webhook_also_works_mounted_under_a_prefix() -> None:
    log = MemoryLog()
    outer = Starlette(routes=[Mount("/sleep", app=receiver(log))])
    reply = post(outer, EVENT, path="/sleep/webhook")
    assert reply.status == 200
    assert [record.value for record in log.events] == [EVENT]


def test_the_documentation_page_is_served() -> None:
    assert "Asleep webhook receiver" in _request(MemoryLog(), "GET", "/docs").text
