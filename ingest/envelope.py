"""Reads as much of a webhook body as routing needs: the event's name, the user and the session."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from ingest.records import Reason

MAX_IDENTIFIER_CHARACTERS: Final = 1024
"""A longer string names nothing; copied beside the body it would triple the size of the record."""


class Envelope(NamedTuple):
    """What a body says about itself; an empty string where it says nothing, or no string."""

    event: str
    user_id: str
    session_id: str


def read_envelope(body: bytes) -> Envelope | Reason:
    """Parse a body in any of the vendor's dialects, or tell why it is not a JSON object.

    What the object holds is never a reason for refusal. JSON is what orjson takes: RFC 8259 without a
    byte order mark, lone surrogates, numbers beyond a double, or more than 1024 levels of nesting.
    """
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Reason.BODY_NOT_JSON if _is_utf8(body) else Reason.BODY_NOT_UTF8
    if not isinstance(message, dict):
        return Reason.BODY_NOT_AN_OBJECT
    data = _object(message, "data")
    callback_data = _object(message, "callback_data")
    return Envelope(
        event=_identifier(message, "event") or _identifier(message, "callback_event"),
        user_id=(
            _identifier(message, "user_id")
            or _identifier(data, "user_id")
            or _identifier(callback_data, "user_id")
        ),
        session_id=(
            _identifier(message, "session_id")
            or _identifier(data, "session_id")
            or _identifier(callback_data, "session_id")
            or _identifier(_object(data, "session"), "id")
            or _identifier(_object(callback_data, "session"), "id")
            or _identifier(_object(message, "session"), "id")
        ),
    )


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _identifier(parent: dict[str, Any], name: str) -> str:
    value = parent.get(name)
    return value if isinstance(value, str) and len(value) <= MAX_IDENTIFIER_CHARACTERS else ""


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
