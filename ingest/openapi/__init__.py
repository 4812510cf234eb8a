"""Describes the webhook for OpenAPI: a bare ASGI endpoint can not describe itself."""

from __future__ import annotations

from typing import Any, Final

from ingest.openapi.event_schemas import body_schema, event_schemas
from ingest.openapi.examples import EXAMPLES
from ingest.openapi.replies import head_responses, reply_schemas, responses, shared_responses
from ingest.webhook import WEBHOOK_PATHS

_TAG: Final = {
    "name": "webhook",
    "description": "Where events are posted. Both paths do the same.",
}
_API_KEY: Final = {
    "type": "apiKey",
    "in": "header",
    "name": "x-api-key",
    "description": "One of the keys that this receiver was given in ASLEEP_API_KEYS.",
}
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "x-user-id": {
        "description": "The user whose night it is; counts where the body names none. "
        "Receivers that know their users refuse others.",
        "example": "user-1",
    },
    "content-encoding": {
        "description": "How the body is compressed; empty or absent: it is not. Case does not count.",
        "schema": {"type": "string", "enum": ["gzip", "x-gzip", "identity", ""]},
    },
    "webhook-id": {
        "description": "Of a signed call: its name, the same when it is sent again.",
        "example": "msg_2kWp3nXq",
    },
    "webhook-timestamp": {
        "description": "Of a signed call: when it was sent, in seconds since 1970-01-01 UTC.",
        "example": "1772374202",
    },
    "webhook-signature": {
        "description": "Of a signed call: `v1,` and the base64 of the HMAC-SHA256, by the shared secret, of "
        "webhook-id, webhook-timestamp and the bytes of the body as they are sent, joined by dots. Several, "
        "one for each secret, have spaces between them.",
        "example": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    },
}
_DESCRIPTION: Final = """\
Stores one event byte for byte, and answers 200 once it is durable.

Any JSON object is accepted, whatever its fields and whatever the content-type says. The schemas describe what
the vendor's service sends, in each of its dialects; what no row of the warehouse can come of is kept and set
aside there with a reason.

Send an event again after a 5xx, 408, 429, or no answer at all. A second copy changes nothing.
"""


def describe_webhook(schema: dict[str, Any]) -> dict[str, Any]:
    """Add the webhook to a generated OpenAPI schema, unless it is there already; returns the schema."""
    if WEBHOOK_PATHS[0] in schema["paths"]:
        return schema
    schema.setdefault("tags", []).append(_TAG)
    components = schema.setdefault("components", {})
    components.setdefault("securitySchemes", {})["ApiKey"] = _API_KEY
    components.setdefault("schemas", {}).update(event_schemas() | reply_schemas())
    components["examples"] = {name: {"value": body} for name, body in EXAMPLES.items()}
    components["responses"] = shared_responses()
    for operations in schema["paths"].values():
        for operation in operations.values():
            operation["responses"] |= head_responses()
    for path in WEBHOOK_PATHS:
        schema["paths"][path] = {"post": _operation(path)}
    return schema


def _operation(path: str) -> dict[str, Any]:
    return {
        "tags": [_TAG["name"]],
        "summary": "Receive one event",
        "description": _DESCRIPTION,
        "operationId": f"receive_{path.strip('/').replace('-', '_')}",
        "security": [{"ApiKey": []}],
        "parameters": [
            {"schema": {"type": "string"}, **header, "name": name, "in": "header", "required": False}
            for name, header in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": body_schema(),
                    "examples": {name: {"$ref": f"#/components/examples/{name}"} for name in EXAMPLES},
                }
            },
        },
        "responses": responses(),
    }
