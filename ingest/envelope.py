"""Reads as much of a webhook body as routing needs: the event's name, the user and the session."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

import orjson

from ingest.records import Reason

MAX_IDENTIFIER_CHARACTERS: Final = 1024
"""A longer string names nothing; copied beside the body it would triple the size of the record."""

_USER_NAMES: Final = frozenset({"user_id", "data", "callback_data"})
_USER_NAMES_QUOTED: Final = tuple(f'"{name}"'.encode() for name in _USER_NAMES)


class Envelope(NamedTuple):
    """What a body says about itself; an empty string where it says nothing, or no string.

    `has_odd_user`: a user is there that is no string, or none that names anybody.
    """

    event: str
    user_id: str
    session_id: str
    has_odd_user: bool = False


def read_envelope(body: bytes) -> Envelope | Reason:
    """Parse a body in any of the vendor's dialects, or tell why it is not a JSON object.

    What the object holds is never a reason for refusal. JSON is that of RFC 8259, without a byte order mark
    and with at most about 1,000 levels of nesting.
    """
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        if not _is_utf8(body):
            return Reason.BODY_NOT_UTF8
        try:
            message = _patient_loads(body)
        except (ValueError, RecursionError):
            return Reason.BODY_NOT_JSON
    if not isinstance(message, dict):
        return Reason.BODY_NOT_AN_OBJECT
    # In this order the warehouse reads them too.
    parts = (message.get("data"), message.get("callback_data"))
    inner: dict[str, Any] = next((part for part in parts if isinstance(part, dict)), message)
    user = inner if inner.get("user_id") is not None else message
    user_id = _identifier(user, "user_id")
    return Envelope(
        event=_identifier(message, "event") or _identifier(message, "callback_event"),
        user_id=user_id,
        session_id=(
            _identifier(inner, "session_id")
            or _identifier(_object(inner, "session"), "id")
            or _identifier(_object(inner, "sleep_data"), "id")
            or _identifier(message, "session_id")
        ),
        has_odd_user=not user_id and user.get("user_id") not in (None, ""),
    )


def may_name_several_users(body: bytes) -> bool:
    """Whether an object of this JSON holds a name twice that leads to its user: two readers may then differ.

    True as well where the nesting is too deep to tell.
    """
    if b"\\" not in body and all(body.count(quoted) < 2 for quoted in _USER_NAMES_QUOTED):
        return False
    found = False

    def look(members: list[tuple[str, Any]]) -> None:
        nonlocal found
        names = [name for name, _ in members if name in _USER_NAMES]
        found = found or len(names) > len(set(names))

    try:
        json.loads(body, object_pairs_hook=look, parse_int=str, parse_float=str)
    except RecursionError:
        return True
    return found


def _patient_loads(body: bytes) -> object:
    """Parse what orjson refuses and RFC 8259 allows: lone surrogates, and numbers beyond a double."""

    def refuse(constant: str) -> object:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(body.decode(), parse_constant=refuse, parse_int=str, parse_float=str)


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _identifier(parent: dict[str, Any], name: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or len(value) > MAX_IDENTIFIER_CHARACTERS:
        return ""
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate: no UTF-8 can carry it
        return ""
    return value


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
