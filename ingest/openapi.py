"""Describes the webhook routes for OpenAPI, by hand: a bare ASGI endpoint can not describe itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from ingest.records import Reason
from ingest.webhook import LOG_UNAVAILABLE_MESSAGE, REFUSALS, RETRY_AFTER_SECONDS, WEBHOOK_PATHS

_RECEIPT_ID = "0199a2b4-6f3c-7c21-9d5e-3f8a1b2c4d5e"

_INFERENCE_COMPLETE = {
    "event": "INFERENCE_COMPLETE",
    "version": "V3",
    "timestamp": "2026-03-01T23:15:00Z",
    "user_id": "user-1",
    "session_id": "session-1",
    "seq_num": 9,
    "inference_seq_num": 0,
    "sleep_stages": [0, 0, 0, 1, 1, 1, 1, 2, 2, 2],
    "breath_stages": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    "snoring_stages": [0, 0, 0, 0, 1, 1, 0, 0, 0, 0],
    "time_window": {"start": "2026-03-01T23:10:00Z", "end": "2026-03-01T23:15:00Z"},
}
_SESSION_COMPLETE = {
    "event": "SESSION_COMPLETE",
    "version": "V3",
    "data": {
        "user_id": "user-1",
        "timezone": "UTC",
        "peculiarities": [],
        "session": {
            "id": "session-1",
            "state": "COMPLETE",
            "start_time": "2026-03-01T23:10:00+00:00",
            "end_time": "2026-03-02T06:10:00+00:00",
            "created_timezone": "Asia/Seoul",
            "sleep_stages": [0, 1, 2, 3],
            "breath_stages": None,
            "snoring_stages": [0, 0, 1, 0],
        },
        "stat": {"sleep_latency": 900, "time_in_sleep": 22500, "sleep_efficiency": 0.89},
    },
}


def describe_webhook(schema: dict[str, Any]) -> dict[str, Any]:
    """Add the webhook routes, their key and their replies to a generated OpenAPI schema; returns it."""
    components = schema.setdefault("components", {})
    components.setdefault("securitySchemes", {})["ApiKey"] = {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "One of the keys in ASLEEP_API_KEYS.",
    }
    components.setdefault("schemas", {}).update(
        {"Received": _received_schema(), "Refused": _refused_schema()}
    )
    for path in WEBHOOK_PATHS:
        schema["paths"][path] = {"post": _operation(path)}
    return schema


def _operation(path: str) -> dict[str, Any]:
    return {
        "tags": ["webhook"],
        "summary": "Receive one event",
        "description": (
            "Stores the body byte for byte and replies once it is durable. "
            "Any JSON object is accepted, whatever its fields."
        ),
        "operationId": f"receive_{path.strip('/').replace('-', '_')}",
        "security": [{"ApiKey": []}],
        "parameters": [
            {
                "name": "x-user-id",
                "in": "header",
                "required": False,
                "description": "The user, where the body does not name one.",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "object"},
                    "examples": {
                        "INFERENCE_COMPLETE": {"value": _INFERENCE_COMPLETE},
                        "SESSION_COMPLETE": {"value": _SESSION_COMPLETE},
                    },
                }
            },
        },
        "responses": _responses(),
    }


def _responses() -> dict[str, Any]:
    responses: dict[str, Any] = {
        "200": {
            "description": "The event is durable.",
            "content": _json_content("Received", {"received": _received_example()}),
        }
    }
    by_status: dict[HTTPStatus, dict[str, Any]] = {}
    for reason, (status, message) in REFUSALS.items():
        by_status.setdefault(status, {})[reason.value] = _refused_example(reason, message)
    for status, examples in by_status.items():
        responses[str(status.value)] = {
            "description": "Refused; sending the same again will not help.",
            "content": _json_content("Refused", examples),
        }
    responses["503"] = {
        "description": "Not stored; send it again later.",
        "headers": {
            "Retry-After": {
                "description": "Seconds to wait before the next try.",
                "schema": {"type": "integer", "example": RETRY_AFTER_SECONDS},
            }
        },
        "content": _json_content(
            "Refused",
            {Reason.LOG_UNAVAILABLE.value: _refused_example(Reason.LOG_UNAVAILABLE, LOG_UNAVAILABLE_MESSAGE)},
        ),
    }
    return responses


def _json_content(schema: str, examples: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}, "examples": examples}}


def _received_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["status", "receipt_id"],
        "properties": {"status": {"const": "received"}, "receipt_id": {"type": "string", "format": "uuid"}},
    }


def _refused_schema() -> dict[str, Any]:
    reasons = [reason.value for reason in (*REFUSALS, Reason.LOG_UNAVAILABLE)]
    return {
        "type": "object",
        "required": ["error", "message", "receipt_id"],
        "properties": {
            "error": {"type": "string", "enum": reasons},
            "message": {"type": "string", "description": "What to do."},
            "receipt_id": {"type": "string", "format": "uuid"},
        },
    }


def _received_example() -> dict[str, Any]:
    return {"value": {"status": "received", "receipt_id": _RECEIPT_ID}}


def _refused_example(reason: Reason, message: str) -> dict[str, Any]:
    return {"value": {"error": reason.value, "message": message, "receipt_id": _RECEIPT_ID}}
