"""Tells whether a caller knows one of our API keys."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from pydantic import SecretStr

from ingest.records import Reason
from ingest.settings import WrongSetting


class NoApiKeys(WrongSetting):
    """No API key is configured, so that every call would have to be refused."""


class ApiKeys:
    """The keys that open the webhook; raises NoApiKeys when there is none."""

    def __init__(self, keys: Iterable[SecretStr]) -> None:
        self._keys = [key.get_secret_value().encode() for key in keys]
        if not all(self._keys):
            raise NoApiKeys("ASLEEP_API_KEYS holds an empty key: give every key at least one character")
        if not self._keys:
            raise NoApiKeys("ASLEEP_API_KEYS is not set: give one or more keys, separated by commas")

    def refusal(self, given: bytes | None) -> Reason | None:
        """Why a caller with this x-api-key value is refused, or None when the key is one of ours.

        Takes the same time whichever key matches, and however much of a key is right.
        """
        if given is None:
            return Reason.MISSING_API_KEY
        # Spaces around a header's value are not part of it, and not every HTTP parser takes them off.
        candidate = given.strip(b" \t")
        if not candidate:
            return Reason.MISSING_API_KEY
        known = False
        for key in self._keys:
            known |= hmac.compare_digest(key, candidate)
        return None if known else Reason.WRONG_API_KEY
