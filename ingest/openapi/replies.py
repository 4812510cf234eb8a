"""What the webhook replies, described out of the table that the replies are made of."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from ingest.records import Reason
from ingest.refusals import REFUSALS, Refusal

_RECEIPT_ID: Final = "0199a2b4-6f3c-7c21-9d5e-3f8a1b2c4d5e"
_RECEIPT_FIELD: Final = {
    "type": "string",
    "format": "uuid",
    "description": "Name of this call: tell it when you ask about the call. It is in the tables too, unless "
    "refused calls were summed up.",
}
NOT_SERVED_MESSAGE: Final = "See /docs for what this receiver answers."
_OF_HEADS: Final = (Reason.INVALID_HTTP, Reason.BODY_STALLED, Reason.HEADERS_TOO_LARGE)
_WORTH_A_RETRY: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "retry-after": {
        "description": "Seconds to wait before the next try.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 5,
    },
    "www-authenticate": {
        "description": "How to authenticate.",
        "schema": {"type": "string"},
        "example": 'ApiKey realm="webhook"',
    },
    "accept-encoding": {
        "description": "The encodings that a body may have.",
        "schema": {"type": "string"},
        "example": "gzip",
    },
}


def reply_schemas() -> dict[str, Any]:
    """Component schemas of the bodies of replies, by name."""
    return {
        "Received": {
            "type": "object",
            "required": ["status", "receipt_id"],
            "properties": {
                "status": {"const": "received", "description": "The event is durable."},
                "receipt_id": _RECEIPT_FIELD,
            },
        },
        "Refused": {
            "type": "object",
            "required": ["error", "message", "receipt_id"],
            "properties": {
                "error": {"enum": list(REFUSALS), "description": "Why the call was refused."},
                "message": {"type": "string", "description": "What to do."},
                "receipt_id": _RECEIPT_FIELD,
            },
        },
        "NotServed": {
            "type": "object",
            "required": ["error", "message"],
            "properties": {
                "error": {"type": "string", "description": "`not_found` or `method_not_allowed`."},
                "message": {"type": "string", "description": "What to do."},
            },
        },
    }


def responses() -> dict[str, Any]:
    """The OpenAPI responses of the webhook by status: 200, and one per status of REFUSALS."""
    described: dict[str, Any] = {
        "200": {
            "description": "The event is durable.",
            "content": _json(
                {"$ref": "#/components/schemas/Received"},
                {"received": {"value": {"status": "received", "receipt_id": _RECEIPT_ID}}},
            ),
        }
    }
    by_status: dict[HTTPStatus, dict[Reason, Refusal]] = {}
    for reason, refusal in REFUSALS.items():
        by_status.setdefault(refusal.status, {})[reason] = refusal
    return described | {
        str(status.value): _response(status, by_status[status]) for status in sorted(by_status)
    }


def head_responses() -> dict[str, Any]:
    """The responses to a head that is refused, whatever it asks for, by status."""
    return {
        str(REFUSALS[reason].status.value): _response(REFUSALS[reason].status, {reason: REFUSALS[reason]})
        for reason in _OF_HEADS
    }


def shared_responses() -> dict[str, Any]:
    """Component responses to calls of what is not there, by name: no operation has a place for them."""
    return {
        name: {
            "description": description,
            "content": _json(
                {"$ref": "#/components/schemas/NotServed"},
                {name: {"value": {"error": error, "message": NOT_SERVED_MESSAGE}}},
            ),
        }
        for name, error, description in (
            ("NotFound", "not_found", "404: no such path."),
            ("MethodNotAllowed", "method_not_allowed", "405: another method than the path has; see `Allow`."),
        )
    }


def is_worth_a_retry(status: HTTPStatus) -> bool:
    """Whether the same call, sent again later, may be accepted."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_A_RETRY


def _response(status: HTTPStatus, refusals: Mapping[Reason, Refusal]) -> dict[str, Any]:
    reasons = ", ".join(f"`{reason}`" for reason in refusals)
    advice = "Send it again later" if is_worth_a_retry(status) else "Mend the call first"
    response: dict[str, Any] = {
        "description": f"Not acknowledged: {reasons}. {advice}.",
        "content": _json(
            {
                "allOf": [
                    {"$ref": "#/components/schemas/Refused"},
                    {"type": "object", "properties": {"error": {"enum": list(refusals)}}},
                ]
            },
            {
                reason: {
                    "summary": refusal.message,
                    "value": {"error": reason, "message": refusal.message, "receipt_id": _RECEIPT_ID},
                }
                for reason, refusal in refusals.items()
            },
        ),
    }
    headers = _headers(refusals)
    return response | {"headers": headers} if headers else response


def _headers(refusals: Mapping[Reason, Refusal]) -> dict[str, Any]:
    """The headers that every reply with one of these reasons has."""
    names = [{name.decode() for name, _ in refusal.headers(None)} for refusal in refusals.values()]
    return {name: _HEADERS[name] | {"required": True} for name in sorted(set.intersection(*names))}


def _json(schema: dict[str, Any], examples: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema, "examples": examples}}
