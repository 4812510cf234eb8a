"""Tells whether a call carries a right signature of Standard Webhooks."""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final, Literal

from ingest.records import Reason
from ingest.settings import Settings, WrongSetting

Verdict = Literal[b"valid", b"none", b"unchecked"]
"""What is recorded of the signature of an accepted call; see Header.SIGNATURE."""

PREFIX: Final = "whsec_"
MIN_SECRET_BYTES: Final = 24
"""What Standard Webhooks asks of a secret at least."""

# One way to write a second, so that what is signed can not be read as another moment.
_SECONDS: Final = re.compile(rb"[1-9][0-9]{0,11}")
_AROUND: Final = b" \t"


class MalformedSecret(WrongSetting):
    """A signing secret is not `whsec_` and the base64 of enough bytes; the message never holds it."""


class Signatures:
    """The secrets that senders sign with, and what is asked of a call; raises MalformedSecret."""

    def __init__(self, settings: Settings) -> None:
        secrets = [secret.get_secret_value() for secret in settings.signing_secrets]
        # Prepared once: starting a MAC costs more than making that of a small body.
        self._macs = [hmac.new(_key(secret, i), digestmod="sha256") for i, secret in enumerate(secrets, 1)]
        self._required = settings.signatures == "required"
        self._looks = self._required or (settings.signatures == "accepted" and bool(self._macs))
        self._tolerance = settings.signature_tolerance_seconds

    def judge(self, headers: Mapping[bytes, bytes], body: bytes, now_seconds: float) -> Verdict | Reason:
        """What to record of the call's signature, or why the call is refused.

        `headers` have lower-case names, `body` is as it came over the wire, `now_seconds` count from 1970.
        A call is signed when it has a webhook-signature; MISSING_SIGNATURE tells of any of the three headers
        that the policy needs. A sender without our secrets is told WRONG_SIGNATURE whatever its timestamp:
        STALE_SIGNATURE means an authentic call and two clocks that differ, or one that is played again.
        Takes the same time whichever secret is right, and however much of a signature is.
        """
        given = headers.get(b"webhook-signature", b"").strip(_AROUND)
        if not self._looks:
            return b"unchecked" if given else b"none"
        if not given:
            return Reason.MISSING_SIGNATURE if self._required else b"none"
        message_id = headers.get(b"webhook-id", b"").strip(_AROUND)
        timestamp = headers.get(b"webhook-timestamp", b"").strip(_AROUND)
        if not message_id or not timestamp:
            return Reason.MISSING_SIGNATURE
        if not _SECONDS.fullmatch(timestamp) or not self._is_ours(
            given, b"%b.%b.%b" % (message_id, timestamp, body)
        ):
            return Reason.WRONG_SIGNATURE
        is_fresh = abs(int(timestamp) - now_seconds) <= self._tolerance
        return b"valid" if is_fresh else Reason.STALE_SIGNATURE

    def _is_ours(self, given: bytes, signed: bytes) -> bool:
        """Whether one of the signatures given is made of `signed` with one of our secrets."""
        candidates = given.split()
        ours = False
        for prepared in self._macs:
            mac = prepared.copy()
            mac.update(signed)
            right = b"v1," + b64encode(mac.digest())
            for candidate in candidates:
                ours |= hmac.compare_digest(right, candidate)
        return ours


def _key(secret: str, number: int) -> bytes:
    wanted = f"write it as {PREFIX} and the base64 of {MIN_SECRET_BYTES} bytes or more"
    if not secret.startswith(PREFIX):
        raise MalformedSecret(f"ASLEEP_SIGNING_SECRETS: secret {number} has no {PREFIX} in front: {wanted}")
    text = secret.removeprefix(PREFIX).rstrip("=")
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        # The cause is left out: tools that report errors show the arguments of a call.
        raise MalformedSecret(f"ASLEEP_SIGNING_SECRETS: secret {number} is not base64: {wanted}") from None
    if len(key) < MIN_SECRET_BYTES:
        raise MalformedSecret(f"ASLEEP_SIGNING_SECRETS: secret {number} has only {len(key)} bytes: {wanted}")
    return key
