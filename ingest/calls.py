"""One call to the webhook: what is known of it before its body is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from starlette.types import Scope

from ingest.admission import declared_length
from ingest.records import ENVELOPE_VERSION, Header, Headers, Receipt

MAX_IDENTIFIER_BYTES: Final = 1024
"""A longer header names nothing, and strangers must not fill the log with it."""

# Looked up once: members of an enum are slow to reach, and a call needs most of them.
_RECEIPT_ID: Final = Header.RECEIPT_ID.value
_RECEIVED_AT: Final = Header.RECEIVED_AT.value
_USER_ID: Final = Header.USER_ID.value
_REMOTE_ADDRESS: Final = Header.REMOTE_ADDRESS.value
_CONTENT_TYPE: Final = Header.CONTENT_TYPE.value
_PATH: Final = Header.PATH.value
_ENVELOPE: Final = (Header.ENVELOPE.value, ENVELOPE_VERSION.encode())


@dataclass(slots=True)
class Call:
    """A call whose head has arrived; `headers` by lower-case name, of a repeated one the last."""

    began: float
    receipt: Receipt
    path: str
    remote_address: str | None
    headers: Mapping[bytes, bytes]
    user_id: bytes | None
    content_length: int | None

    @classmethod
    def arriving(cls, scope: Scope) -> Call:
        """Give the call a receipt and read its head."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        client = scope.get("client")
        return cls(
            began=perf_counter(),
            receipt=Receipt.now(),
            path=scope["path"],
            remote_address=client[0] if client else None,
            headers=headers,
            user_id=_short(headers.get(b"x-user-id")),
            content_length=declared_length(headers.get(b"content-length")),
        )

    def age_seconds(self) -> float:
        """Seconds since the head arrived."""
        return perf_counter() - self.began

    def record_headers(self) -> Headers:
        """The record headers that events and attempts share."""
        headers: Headers = [
            (_RECEIPT_ID, self.receipt.receipt_id.encode()),
            (_RECEIVED_AT, b"%d" % self.receipt.received_at_us),
            (_PATH, self.path.encode()),
            _ENVELOPE,
        ]
        if self.user_id is not None:
            headers.append((_USER_ID, self.user_id))
        if self.remote_address is not None:
            headers.append((_REMOTE_ADDRESS, self.remote_address.encode()))
        content_type = _short(self.headers.get(b"content-type"))
        if content_type is not None:
            headers.append((_CONTENT_TYPE, content_type))
        return headers


def _short(value: bytes | None) -> bytes | None:
    return None if value is None or len(value) > MAX_IDENTIFIER_BYTES else value
