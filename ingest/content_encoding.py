"""Decodes a body that came compressed, and never makes more of it than the cap allows."""

from __future__ import annotations

import zlib
from typing import Final

from ingest.records import Reason

_GZIP_ONLY: Final = zlib.MAX_WBITS | 16
# A call that is many tiny gzip members has the rest of its piece copied for each of them.
_PIECE_BYTES: Final = 4096


def decode(body: bytes, encoding: bytes | None, max_bytes: int) -> bytes | Reason:
    """The body without the encoding that a content-encoding header names, or why it can not be taken.

    Knows gzip, which may come in several members; `body` itself is returned where there is no encoding,
    an empty one or `identity`. Anything else, a list of encodings too, is UNSUPPORTED_ENCODING. At most
    `max_bytes` and one are ever decompressed: more is BODY_TOO_LARGE. BODY_NOT_GZIP tells of a body that
    is damaged, ends early, or has anything after its last member.
    """
    name = b"" if encoding is None else encoding.strip(b" \t").lower()
    if name in {b"", b"identity"}:
        return body if len(body) <= max_bytes else Reason.BODY_TOO_LARGE
    if name not in {b"gzip", b"x-gzip"}:
        return Reason.UNSUPPORTED_ENCODING
    try:
        return _gunzip(memoryview(body), max_bytes)
    except zlib.error:
        return Reason.BODY_NOT_GZIP


def _gunzip(body: memoryview, max_bytes: int) -> bytes | Reason:
    decoded = bytearray()
    position = 0
    while True:
        member = zlib.decompressobj(_GZIP_ONLY)
        while not member.eof:
            piece = body[position : position + _PIECE_BYTES]
            if not piece:
                return Reason.BODY_NOT_GZIP
            decoded += member.decompress(piece, max_bytes + 1 - len(decoded))
            if len(decoded) > max_bytes:
                return Reason.BODY_TOO_LARGE
            position += len(piece) - len(member.unused_data)
        if position == len(body):
            return bytes(decoded)
