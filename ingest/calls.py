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
"""A longer header names nothing."""
MAX_STRANGER_BYTES: Final = 128
"""What is written down of a header, or of the path, of a caller that is not authentic: strangers must not
fill the log with them."""

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
    """A call whose head has arrived; `headers` by lower-case name, of a repeated one the last.

    `user_id` is the x-user-id header without the spaces around it, in UTF-8 whatever it came in. The gate
    tells whether the caller `is_authentic`.
    """

    began: float
    receipt: Receipt
    path: str
    remote_address: str | None
    headers: Mapping[bytes, bytes]
    user_id: bytes | None
    content_length: int | None
    is_authentic: bool = False

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
            user_id=_text(headers.get(b"x-user-id")),
            content_length=declared_length(headers.get(b"content-length")),
        )

    def age_seconds(self) -> float:
        """Seconds since the head arrived."""
        return perf_counter() - self.began

    def record_headers(self) -> Headers:
        """The record headers that events and attempts share; cut short where a stranger calls."""
        path, user_id = self.path.encode(), self.user_id
        content_type = _text(self.headers.get(b"content-type"))
        if not self.is_authentic:
            path = _cut(path)
            user_id = user_id and _cut(user_id)
            content_type = content_type and _cut(content_type)
        headers: Headers = [
            (_RECEIPT_ID, self.receipt.receipt_id.encode()),
            (_RECEIVED_AT, b"%d" % self.receipt.received_at_us),
            (_PATH, path),
            _ENVELOPE,
        ]
        if user_id is not None:
            headers.append((_USER_ID, user_id))
        if self.remote_address is not None:
            headers.append((_REMOTE_ADDRESS, self.remote_address.encode()))
        if content_type is not None:
            headers.append((_CONTENT_TYPE, content_type))
        return headers


def utf8(value: bytes) -> bytes:
    """The value of a header in UTF-8; one that is not is taken for latin-1, so that every byte is text."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1").encode()
    return value


def _text(value: bytes | None) -> bytes | None:
    if value is None:
        return None
    # Spaces around it are not part of it, and not every HTTP parser takes them off.
    value = value.strip(b" \t")
    return None if len(value) > MAX_IDENTIFIER_BYTES else utf8(value)


def _cut(value: bytes) -> bytes:
    return value[:MAX_STRANGER_BYTES].decode(errors="ignore").encode()
