"""The words that every room shares: topics, reasons, and what is written down about a call."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import uuid_utils

ENVELOPE_VERSION: Final = "1"

Headers = list[tuple[str, bytes]]
"""Record headers: names and raw values, in order, as Kafka has them."""


class Topic(StrEnum):
    """The two topics of the event log."""

    EVENTS = "asleep.events"
    """Authentic bodies, verbatim."""
    ATTEMPTS = "asleep.attempts"
    """Rejected calls; with the body only where the caller was authentic."""


class Reason(StrEnum):
    """Why a call was rejected or a body could not become a row: one word for reply, log, metric and table."""

    MISSING_API_KEY = "missing_api_key"
    WRONG_API_KEY = "wrong_api_key"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_OPEN_REQUESTS = "too_many_open_requests"
    MISSING_SIGNATURE = "missing_signature"
    STALE_SIGNATURE = "stale_signature"
    WRONG_SIGNATURE = "wrong_signature"
    UNKNOWN_USER = "unknown_user"
    USER_MISMATCH = "user_mismatch"
    INVALID_HTTP = "invalid_http"
    HEADERS_TOO_LARGE = "headers_too_large"
    BODY_TOO_LARGE = "body_too_large"
    BODY_STALLED = "body_stalled"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    BODY_NOT_GZIP = "body_not_gzip"
    BODY_NOT_UTF8 = "body_not_utf8"
    BODY_NOT_JSON = "body_not_json"
    BODY_NOT_AN_OBJECT = "body_not_an_object"
    LOG_UNAVAILABLE = "log_unavailable"
    SPOOL_FULL = "spool_full"

    MISSING_EVENT = "missing_event"
    UNKNOWN_EVENT = "unknown_event"
    MISSING_USER_ID = "missing_user_id"
    MISSING_SESSION_ID = "missing_session_id"
    WRONG_TYPE = "wrong_type"
    INVALID_CHARACTER = "invalid_character"
    INVALID_STAGE = "invalid_stage"
    TOO_MANY_EPOCHS = "too_many_epochs"
    MISSING_STAGES = "missing_stages"
    ARRAY_LENGTH_MISMATCH = "array_length_mismatch"
    INVALID_TIMESTAMP = "invalid_timestamp"
    INVALID_TIME_WINDOW = "invalid_time_window"
    INVALID_TIMEZONE = "invalid_timezone"
    UNREADABLE_RECORD = "unreadable_record"


class Header(StrEnum):
    """Names of the record headers that the receiver writes and the lander reads."""

    RECEIPT_ID = "receipt_id"
    RECEIVED_AT = "received_at"
    """Microseconds since 1970-01-01 UTC, in decimal."""
    USER_ID = "user_id"
    """The x-user-id header of the call, verbatim; absent where the call had none."""
    EVENT = "event"
    SESSION_ID = "session_id"
    REMOTE_ADDRESS = "remote_address"
    CONTENT_TYPE = "content_type"
    PATH = "path"
    SIGNATURE = "signature"
    """Of the signature: `valid`, `none` where the call had none, `unchecked` where it was not looked at."""
    CONTENT_ENCODING = "content_encoding"
    """How the body came compressed: `gzip`; absent where it did not. The record holds it decoded.

    Of a call refused for its encoding: what it said, in lower case; the record holds the body as sent.
    """
    ENVELOPE = "envelope"
    """Version of this set of headers."""
    REASON = "reason"
    """Of an attempt: why it was rejected."""
    STATUS = "status"
    """Of an attempt: the HTTP status answered."""
    BODY_BYTES = "body_bytes"
    """Bytes of body read off the wire, in decimal: of an attempt, and of an event that came compressed."""
    CALLS = "calls"
    """Of an attempt that sums up several calls of one address, reason and second: how many, in decimal."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One call to the webhook: its identity and moment, made on arrival."""

    receipt_id: str
    received_at_us: int

    @classmethod
    def now(cls) -> Receipt:
        """Make a receipt: a UUIDv7, unique and ordered by time, and the moment in microseconds."""
        return cls(str(uuid_utils.uuid7()), time.time_ns() // 1000)


def partition_key(user_id: str, session_id: str) -> bytes:
    """Key of a record: user and session, so that one session is one partition, in order.

    The length in front keeps ("a", "bc") apart from ("ab", "c"), whatever characters they hold.
    """
    return f"{len(user_id)}:{user_id}:{session_id}".encode("utf-8", "surrogatepass")
