"""What the webhook answers for each reason: one table for the replies and for their description."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, NamedTuple

from ingest.records import Reason

RETRY_AFTER_SECONDS: Final = 5


_CHALLENGES: Final = {
    HTTPStatus.UNAUTHORIZED: (b"www-authenticate", b'ApiKey realm="webhook"'),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (b"accept-encoding", b"gzip"),
}
"""What RFC 9110 asks these answers to say in a header."""


class Refusal(NamedTuple):
    """An answer other than 200: its status, what the sender should do, and when to try again, if ever."""

    status: HTTPStatus
    message: str
    retry_after_seconds: int | None = None

    def headers(self, retry_after_seconds: int | None) -> list[tuple[bytes, bytes]]:
        """The headers of the answer; Retry-After with the seconds given, or else its own."""
        headers = [_CHALLENGES[self.status]] if self.status in _CHALLENGES else []
        seconds = retry_after_seconds or self.retry_after_seconds
        if seconds is not None:
            headers.append((b"retry-after", b"%d" % seconds))
        return headers


REFUSALS: Final[dict[Reason, Refusal]] = {
    Reason.MISSING_API_KEY: Refusal(HTTPStatus.UNAUTHORIZED, "Send your API key in the x-api-key header."),
    Reason.WRONG_API_KEY: Refusal(
        HTTPStatus.UNAUTHORIZED, "Send an API key that is configured here in x-api-key."
    ),
    Reason.MISSING_SIGNATURE: Refusal(
        HTTPStatus.UNAUTHORIZED, "Sign the call: webhook-id, webhook-timestamp and webhook-signature."
    ),
    Reason.STALE_SIGNATURE: Refusal(
        HTTPStatus.UNAUTHORIZED, "Sign the call anew: webhook-timestamp is too far from the time here."
    ),
    Reason.WRONG_SIGNATURE: Refusal(
        HTTPStatus.UNAUTHORIZED, "Sign the body as it is sent with a secret that is configured here."
    ),
    Reason.MISSING_USER_ID: Refusal(HTTPStatus.FORBIDDEN, "Name the user in the x-user-id header."),
    Reason.UNKNOWN_USER: Refusal(HTTPStatus.FORBIDDEN, "The user of x-user-id is not known here."),
    Reason.USER_MISMATCH: Refusal(
        HTTPStatus.FORBIDDEN, "Name the same user in x-user-id and in the body, or in one of them only."
    ),
    Reason.RATE_LIMITED: Refusal(
        HTTPStatus.TOO_MANY_REQUESTS, "Too many calls; send it again after Retry-After seconds.", 1
    ),
    Reason.INVALID_HTTP: Refusal(HTTPStatus.BAD_REQUEST, "Send a complete HTTP/1.1 request."),
    Reason.HEADERS_TOO_LARGE: Refusal(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "Send fewer or shorter headers."
    ),
    Reason.BODY_TOO_LARGE: Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Send a smaller body."),
    Reason.BODY_STALLED: Refusal(HTTPStatus.REQUEST_TIMEOUT, "Send the whole call without a long pause."),
    Reason.UNSUPPORTED_ENCODING: Refusal(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body as it is, or compressed with gzip."
    ),
    Reason.BODY_NOT_GZIP: Refusal(
        HTTPStatus.BAD_REQUEST, "Send what content-encoding says: a complete gzip stream."
    ),
    Reason.BODY_NOT_UTF8: Refusal(HTTPStatus.BAD_REQUEST, "Send the body as UTF-8."),
    Reason.BODY_NOT_JSON: Refusal(HTTPStatus.BAD_REQUEST, "Send the body as JSON (RFC 8259)."),
    Reason.BODY_NOT_AN_OBJECT: Refusal(HTTPStatus.BAD_REQUEST, "Send one JSON object as the body."),
    Reason.TOO_MANY_OPEN_REQUESTS: Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The receiver has too many calls open; send it again later.",
        RETRY_AFTER_SECONDS,
    ),
    Reason.LOG_UNAVAILABLE: Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The event could not be stored; send it again later.",
        RETRY_AFTER_SECONDS,
    ),
    Reason.SPOOL_FULL: Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The event log is away and the spool is full; send it again later.",
        RETRY_AFTER_SECONDS,
    ),
}
"""Every answer but 200. A 4xx: sending the same again will not help, 408 and 429 apart. A 5xx: it will."""
