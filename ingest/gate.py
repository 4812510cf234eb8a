"""Decides who may come in, and reads as much of a body as that and the routing of its event need."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from ingest.authentication import ApiKeys
from ingest.calls import Call, utf8
from ingest.content_encoding import decode
from ingest.envelope import Envelope, may_name_several_users, read_envelope
from ingest.known_users import KnownUsers
from ingest.rate_limits import RateLimits
from ingest.records import Header, Headers, Reason, partition_key
from ingest.settings import Settings
from ingest.signatures import Signatures

_SIGNATURE: Final = Header.SIGNATURE.value
_EVENT: Final = Header.EVENT.value
_SESSION_ID: Final = Header.SESSION_ID.value
_CONTENT_ENCODING: Final = Header.CONTENT_ENCODING.value
_BODY_BYTES: Final = Header.BODY_BYTES.value
MAX_ENCODING_BYTES: Final = 64


class Turned(NamedTuple):
    """A call that is turned away: why, and the body where it is to be kept (its caller was authentic).

    `headers` are record headers beside those of the call: what was found out before it was turned away.
    """

    reason: Reason
    body: bytes = b""
    retry_after_seconds: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Admitted(NamedTuple):
    """An event to be stored: its partition key, its body as it was before compression, its record headers.

    `found` are those of the headers that an attempt has too, beside those of the call.
    """

    key: bytes
    body: bytes
    headers: Headers
    found: tuple[tuple[str, bytes], ...]


class Gate:
    """The checks of a call in their order, the cheap ones and those that strangers fail first."""

    def __init__(
        self,
        settings: Settings,
        *,
        api_keys: ApiKeys,
        signatures: Signatures,
        users: KnownUsers,
        rate_limits: RateLimits,
    ) -> None:
        self._api_keys = api_keys
        self._signatures = signatures
        self._users = users
        self._rate_limits = rate_limits
        self._max_body_bytes = settings.max_body_bytes
        self._refuses_mismatch = settings.user_mismatch == "refused"

    def judge_head(self, call: Call) -> Turned | None:
        """What is to be said before the body is read; None lets the call in."""
        wait_seconds = self._rate_limits.of_address(call.remote_address)
        if wait_seconds is not None:
            return Turned(Reason.RATE_LIMITED, retry_after_seconds=wait_seconds)
        # Spaces around it are not part of it, and not every HTTP parser takes them off.
        key = call.headers.get(b"x-api-key", b"").strip(b" \t")
        refusal = self._api_keys.refusal(key)
        if refusal is not None:
            return Turned(refusal)
        call.is_authentic = True
        wait_seconds = self._rate_limits.of_key(key)
        if wait_seconds is not None:
            return Turned(Reason.RATE_LIMITED, retry_after_seconds=wait_seconds)
        refusal = self._users.refusal(call.user_id)
        return None if refusal is None else Turned(refusal)

    def judge_body(self, call: Call, sent: bytes) -> Admitted | Turned:
        """Check and open the body as it came over the wire."""
        verdict = self._signatures.judge(call.headers, sent, time.time())
        if isinstance(verdict, Reason):
            call.is_authentic = False
            return Turned(verdict)
        found: tuple[tuple[str, bytes], ...] = ((_SIGNATURE, verdict),)
        encoding = call.headers.get(b"content-encoding")
        body = sent if encoding is None else decode(sent, encoding, self._max_body_bytes)
        if isinstance(body, Reason):
            asked = utf8((encoding or b"").strip(b" \t").lower()[:MAX_ENCODING_BYTES])
            return Turned(body, sent, headers=(*found, (_CONTENT_ENCODING, asked)))
        if body is not sent:
            found = (*found, (_CONTENT_ENCODING, b"gzip"))
        envelope = read_envelope(body)
        if isinstance(envelope, Reason):
            return Turned(envelope, body, headers=found)
        if self._refuses_mismatch and _is_mismatch(call, envelope, body):
            return Turned(Reason.USER_MISMATCH, body, headers=found)

        headers = call.record_headers()
        headers += found
        if envelope.event:
            headers.append((_EVENT, envelope.event.encode()))
        if envelope.session_id:
            headers.append((_SESSION_ID, envelope.session_id.encode()))
        if body is not sent:
            headers.append((_BODY_BYTES, b"%d" % len(sent)))
        user_id = envelope.user_id or (call.user_id or b"").decode()
        return Admitted(partition_key(user_id, envelope.session_id), body, headers, found)


def _is_mismatch(call: Call, envelope: Envelope, body: bytes) -> bool:
    """Whether the body names another user than the header, or may do so to another reader."""
    if not call.user_id:
        return False
    is_other = bool(envelope.user_id) and call.user_id != envelope.user_id.encode()
    return is_other or envelope.has_odd_user or may_name_several_users(body)
