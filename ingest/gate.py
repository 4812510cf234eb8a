"""Decides who may come in, and reads as much of a body as that and the routing of its event need."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from ingest.authentication import ApiKeys
from ingest.calls import Call
from ingest.content_encoding import decode
from ingest.envelope import Envelope, read_envelope
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


class Turned(NamedTuple):
    """A call that is turned away: why, and the body where it is to be kept (its caller was authentic)."""

    reason: Reason
    body: bytes = b""
    retry_after_seconds: int | None = None


class Admitted(NamedTuple):
    """An event to be stored: its partition key, its body as it was before compression, its record headers."""

    key: bytes
    body: bytes
    headers: Headers


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
        wait_seconds = self._rate_limits.of_key(key)
        if wait_seconds is not None:
            return Turned(Reason.RATE_LIMITED, retry_after_seconds=wait_seconds)
        refusal = self._users.refusal(call.user_id)
        return None if refusal is None else Turned(refusal)

    def judge_body(self, call: Call, sent: bytes) -> Admitted | Turned:
        """Check and open the body as it came over the wire."""
        verdict = self._signatures.judge(call.headers, sent, time.time())
        if isinstance(verdict, Reason):
            return Turned(verdict)
        encoding = call.headers.get(b"content-encoding")
        body = sent if encoding is None else decode(sent, encoding, self._max_body_bytes)
        if isinstance(body, Reason):
            return Turned(body, sent)
        envelope = read_envelope(body)
        if isinstance(envelope, Reason):
            return Turned(envelope, body)
        if self._refuses_mismatch and _is_mismatch(call, envelope):
            return Turned(Reason.USER_MISMATCH, body)

        headers = call.record_headers()
        headers.append((_SIGNATURE, verdict))
        if envelope.event:
            headers.append((_EVENT, envelope.event.encode()))
        if envelope.session_id:
            headers.append((_SESSION_ID, envelope.session_id.encode()))
        if body is not sent:
            headers += [(_CONTENT_ENCODING, b"gzip"), (_BODY_BYTES, b"%d" % len(sent))]
        user_id = envelope.user_id or (call.user_id or b"").decode(errors="replace")
        return Admitted(partition_key(user_id, envelope.session_id), body, headers)


def _is_mismatch(call: Call, envelope: Envelope) -> bool:
    return bool(call.user_id and envelope.user_id) and call.user_id != envelope.user_id.encode()
