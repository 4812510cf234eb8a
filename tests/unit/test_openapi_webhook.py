"""The description of the webhook: its replies are those of REFUSALS, its headers those that it reads."""

from __future__ import annotations

import asyncio
from functools import cache
from http import HTTPStatus
from typing import Any

import jsonschema_rs
import orjson
import pytest
import schemathesis

from ingest.openapi.examples import EXAMPLES
from ingest.records import Reason
from ingest.refusals import REFUSALS
from ingest.webhook import WEBHOOK_PATHS
from tests.unit.asgi_calls import Caller, post, receiver
from tests.unit.memory_log import MemoryLog

STATUSES = {str(refusal.status.value) for refusal in REFUSALS.values()}


@cache
def description() -> dict[str, Any]:
    return receiver(MemoryLog()).openapi()


def operation(path: str = "/webhook") -> dict[str, Any]:
    found: dict[str, Any] = description()["paths"][path]["post"]
    return found


def reply(status: str) -> dict[str, Any]:
    found: dict[str, Any] = operation()["responses"][status]
    return found


def is_described(status: str, body: dict[str, Any]) -> bool:
    schema = reply(status)["content"]["application/json"]["schema"]
    within = {**schema, "components": description()["components"]}
    return jsonschema_rs.Draft202012Validator(within, validate_formats=True).is_valid(body)


def references(node: Any) -> set[str]:
    """Every $ref in a document."""
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


def test_both_paths_are_described_alike_under_names_of_their_own() -> None:
    first, second = (dict(operation(path)) for path in WEBHOOK_PATHS)
    assert first.pop("operationId") != second.pop("operationId")
    assert first == second


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [
        operation["operationId"] for path in description()["paths"].values() for operation in path.values()
    ]
    assert len(names) == len(set(names))


def test_every_reference_leads_to_something() -> None:
    found = references(description())
    assert found
    for reference in found:
        node = description()
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_describing_it_twice_is_describing_it_once() -> None:
    app = receiver(MemoryLog())
    assert app.openapi() == app.openapi() == description()
    assert [tag["name"] for tag in app.openapi()["tags"]].count("webhook") == 1


def test_the_replies_are_200_and_those_of_the_refusals() -> None:
    assert operation()["responses"].keys() == {"200"} | STATUSES


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_is_described_under_its_status_with_what_to_do(reason: Reason) -> None:
    status = str(REFUSALS[reason].status.value)
    examples = reply(status)["content"]["application/json"]["examples"]
    assert examples[reason]["value"]["error"] == reason
    assert examples[reason]["value"]["message"] == REFUSALS[reason].message
    assert f"`{reason}`" in reply(status)["description"]


@pytest.mark.parametrize("status", ["200", *sorted(STATUSES)])
def test_the_examples_of_a_reply_are_what_its_schema_says(status: str) -> None:
    for example in reply(status)["content"]["application/json"]["examples"].values():
        assert is_described(status, example["value"])


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_a_reply_with_the_reason_of_another_status_is_not_described(status: str) -> None:
    body = {"message": "", "receipt_id": "0199a2b4-6f3c-7c21-9d5e-3f8a1b2c4d5e"}
    described = {reason for reason in Reason if is_described(status, body | {"error": reason})}
    assert described == {reason for reason in REFUSALS if str(REFUSALS[reason].status.value) == status}


@pytest.mark.parametrize("reason", REFUSALS)
def test_the_headers_of_a_refusal_are_described(reason: Reason) -> None:
    refusal = REFUSALS[reason]
    described = reply(str(refusal.status.value)).get("headers", {})
    sent = {name.decode(): value.decode() for name, value in refusal.headers(None)}
    assert sent.keys() == described.keys()
    for name, header in described.items():
        assert header["required"]
        assert header["description"]
        assert jsonschema_rs.Draft202012Validator(header["schema"]).is_valid(header["example"])
        assert type(header["example"])(sent[name]) == header["example"] or name == "retry-after"


def test_the_headers_that_an_answer_must_have_by_its_status_are_described() -> None:
    described = {status: set(reply(status)["headers"]) for status in STATUSES if "headers" in reply(status)}
    assert described == {
        "401": {"www-authenticate"},
        "415": {"accept-encoding"},
        "429": {"retry-after"},
        "503": {"retry-after"},
    }


@pytest.mark.parametrize(
    ("trouble", "status", "state"), [(None, "200", "degraded"), ("away", "503", "not_ready")]
)
def test_an_answer_of_readyz_is_a_described_one(trouble: str | None, status: str, state: str) -> None:
    app = receiver(MemoryLog(trouble=trouble))
    answer = asyncio.run(Caller([b""], path="/readyz", method="GET").call(app))
    assert (str(answer.status), answer.json["status"]) == (status, state)
    for described, content in description()["paths"]["/readyz"]["get"]["responses"].items():
        if described in {"200", "503"}:
            schema = content["content"]["application/json"]["schema"]
            fits = jsonschema_rs.Draft202012Validator(schema).is_valid(answer.json)
            assert fits == (described == status)


def test_what_a_refused_head_is_told_is_described_of_every_path() -> None:
    for operations in description()["paths"].values():
        for described in operations.values():
            assert described["responses"].keys() >= {"400", "408", "431"}


@pytest.mark.parametrize(("method", "path"), [("POST", "/elsewhere"), ("PUT", "/webhook")])
def test_what_is_not_there_is_answered_as_described(method: str, path: str) -> None:
    answer = asyncio.run(Caller([b""], path=path, method=method).call(receiver(MemoryLog())))
    (described,) = [
        response
        for response in description()["components"]["responses"].values()
        if response["description"].startswith(str(answer.status))
    ]
    (example,) = described["content"]["application/json"]["examples"].values()
    assert answer.json == example["value"]


def test_a_caller_is_told_which_answers_are_worth_another_try() -> None:
    worth = {status for status in STATUSES if "Send it again later" in reply(status)["description"]}
    assert worth == {"408", "429", "503"}
    mend = {status for status in STATUSES if "Mend the call first" in reply(status)["description"]}
    assert mend == STATUSES - worth


def test_the_key_and_the_headers_that_are_read_are_described() -> None:
    assert operation()["security"] == [{"ApiKey": []}]
    key = description()["components"]["securitySchemes"]["ApiKey"]
    assert (key["type"], key["in"], key["name"]) == ("apiKey", "header", "x-api-key")
    headers = {header["name"]: header for header in operation()["parameters"]}
    assert headers.keys() == {
        "x-user-id",
        "content-encoding",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
    assert all(header["in"] == "header" and header["description"] for header in headers.values())


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_accepted_and_routed_by_what_it_says(example: str) -> None:
    log = MemoryLog()
    assert post(receiver(log), orjson.dumps(EXAMPLES[example])).status == HTTPStatus.OK
    headers = log.events[0].headers
    assert headers["session_id"] == b"session-1"
    event = b"SESSION_COMPLETE" if "SessionComplete" in example else b"INFERENCE_COMPLETE"
    assert headers["event"] == event


def test_the_description_is_valid_openapi() -> None:
    schemathesis.openapi.from_dict(description()).validate()
