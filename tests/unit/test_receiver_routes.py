"""The routes beside the hot path: health, other methods, the OpenAPI description."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from ingest.records import Reason
from ingest.webhook import WEBHOOK_PATHS
from tests.unit.asgi_calls import EVENT, KEY, post, receiver
from tests.unit.memory_log import MemoryLog


def _request(log: MemoryLog, method: str, path: str, **options: Any) -> httpx.Response:
    async def scenario() -> httpx.Response:
        transport = httpx.ASGITransport(app=receiver(log))
        async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
            return await client.request(method, path, **options)

    return asyncio.run(scenario())


def test_healthz_answers_whatever_the_log_does() -> None:
    reply = _request(MemoryLog(trouble="away"), "GET", "/healthz")
    assert (reply.status_code, reply.json()) == (200, {"status": "alive"})


def test_readyz_follows_the_log() -> None:
    log = MemoryLog(trouble="no broker answers at 192.0.2.1:9092")
    reply = _request(log, "GET", "/readyz")
    assert reply.status_code == 503
    assert reply.json() == {
        "status": "not_ready",
        "problems": {"event_log": "no broker answers at 192.0.2.1:9092"},
    }
    log.trouble = None
    reply = _request(log, "GET", "/readyz")
    assert (reply.status_code, reply.json()) == (200, {"status": "ready"})


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


def test_the_webhook_also_works_mounted_under_a_prefix() -> None:
    log = MemoryLog()
    outer = Starlette(routes=[Mount("/sleep", app=receiver(log))])
    reply = post(outer, EVENT, path="/sleep/webhook")
    assert reply.status == 200
    assert [record.value for record in log.events] == [EVENT]


@pytest.mark.parametrize("path", WEBHOOK_PATHS)
def test_openapi_describes_the_webhook_with_every_reason_it_answers(path: str) -> None:
    schema = _request(MemoryLog(), "GET", "/openapi.json").json()
    operation = schema["paths"][path]["post"]
    assert operation["security"] == [{"ApiKey": []}]
    assert schema["components"]["securitySchemes"]["ApiKey"]["name"] == "x-api-key"
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert examples.keys() == {"INFERENCE_COMPLETE", "SESSION_COMPLETE"}
    assert operation["responses"].keys() == {"200", "400", "401", "413", "503"}
    described = {
        reason: status
        for status, response in operation["responses"].items()
        for reason in response["content"]["application/json"]["examples"]
    }
    assert described == {
        "received": "200",
        Reason.MISSING_API_KEY: "401",
        Reason.WRONG_API_KEY: "401",
        Reason.BODY_TOO_LARGE: "413",
        Reason.BODY_NOT_UTF8: "400",
        Reason.BODY_NOT_JSON: "400",
        Reason.BODY_NOT_AN_OBJECT: "400",
        Reason.LOG_UNAVAILABLE: "503",
    }


def test_openapi_names_each_operation_once_and_resolves_its_references() -> None:
    schema = _request(MemoryLog(), "GET", "/openapi.json").json()
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names)) == 4
    assert {"Received", "Refused"} <= schema["components"]["schemas"].keys()


def test_the_documentation_page_is_served() -> None:
    assert "Asleep webhook receiver" in _request(MemoryLog(), "GET", "/docs").text


@pytest.mark.parametrize("example", ["INFERENCE_COMPLETE", "SESSION_COMPLETE"])
def test_the_documented_examples_are_accepted(example: str) -> None:
    log = MemoryLog()
    schema = _request(log, "GET", "/openapi.json").json()
    examples = schema["paths"]["/webhook"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    reply = _request(log, "POST", "/webhook", json=examples[example]["value"], headers={"x-api-key": KEY})
    assert reply.status_code == 200
    assert log.events[0].headers["event"] == example.encode()
    assert log.events[0].headers["session_id"] == b"session-1"
