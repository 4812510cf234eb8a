"""Calls signed as Standard Webhooks asks, by its library and by hand."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import Webhook

from ingest.settings import Settings
from ingest.signatures import Signatures


def secret_of(text: bytes) -> str:
    return "whsec_" + b64encode(text).decode()


SECRET, NEXT_SECRET, OTHER_SECRET = (secret_of(letter * 24) for letter in (b"s", b"n", b"o"))
BODY = b'{"event":"INFERENCE_COMPLETE"}'
NOW = 1_800_000_000

Headers = dict[bytes, bytes]


def signatures(secrets: str = SECRET, **changes: Any) -> Signatures:
    return Signatures(Settings(**{"signing_secrets": secrets, "signatures": "required", **changes}))


def signed(
    secret: str = SECRET, body: bytes = BODY, at: int = NOW, message_id: str = "msg_1", **others: bytes
) -> Headers:
    """The headers of a call that the library signed; `others` replace some of them."""
    moment = datetime.fromtimestamp(at, UTC)
    headers = {
        b"webhook-id": message_id.encode(),
        b"webhook-timestamp": b"%d" % at,
        b"webhook-signature": Webhook(secret).sign(message_id, moment, body.decode()).encode(),
    }
    return headers | {b"webhook-" + name.encode(): value for name, value in others.items()}


def signed_by_hand(message_id: bytes, timestamp: bytes, body: bytes) -> Headers:
    """The headers of a call over what the library can not sign."""
    key = b64decode(SECRET.removeprefix("whsec_"))
    mac = hmac.digest(key, b".".join((message_id, timestamp, body)), "sha256")
    return {
        b"webhook-id": message_id,
        b"webhook-timestamp": timestamp,
        b"webhook-signature": b"v1," + b64encode(mac),
    }
