"""Compressed bodies: what comes out is what went in, and never more than the cap allows."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.content_encoding import decode
from ingest.records import Reason

BODY = b'{"event":"INFERENCE_COMPLETE","user_id":"user-1","session_id":"session-1"}'
GZIP = gzip.compress(BODY)
PLENTY = 1 << 20


@pytest.mark.parametrize("encoding", [None, b"", b" \t", b"identity", b" Identity "])
def test_a_body_without_an_encoding_is_returned_as_it_is(encoding: bytes | None) -> None:
    assert decode(BODY, encoding, len(BODY)) is BODY
    assert decode(BODY, encoding, len(BODY) - 1) is Reason.BODY_TOO_LARGE


@pytest.mark.parametrize("encoding", [b"gzip", b"GZip", b"\tgzip ", b"x-gzip", b"X-GZIP"])
def test_gzip_is_known_by_both_of_its_names(encoding: bytes) -> None:
    assert decode(GZIP, encoding, PLENTY) == BODY


@pytest.mark.parametrize(
    "encoding",
    [
        b"br",
        b"deflate",
        b"zstd",
        b"gzip, br",
        b"gzip,gzip",
        b"identity, gzip",
        b"gzip;q=1",
        b"gzip\x00",
        b"\xff",
    ],
)
def test_any_other_encoding_is_not_supported(encoding: bytes) -> None:
    assert decode(GZIP, encoding, PLENTY) is Reason.UNSUPPORTED_ENCODING


@given(st.lists(st.tuples(st.binary(max_size=10_000), st.integers(0, 9)), min_size=1, max_size=5), st.data())
@example([(b"", 9)], None)
def test_members_are_decoded_in_their_order_up_to_the_cap(
    members: list[tuple[bytes, int]], data: Any
) -> None:
    body = b"".join(part for part, _ in members)
    max_bytes = len(body) if data is None else data.draw(st.integers(0, 2 * len(body)))
    compressed = b"".join(gzip.compress(part, level) for part, level in members)
    decoded = decode(compressed, b"gzip", max_bytes)
    assert decoded == (body if len(body) <= max_bytes else Reason.BODY_TOO_LARGE)


@pytest.mark.parametrize("members", [1, 3])
def test_a_body_that_ends_early_is_refused_wherever_it_ends(members: int) -> None:
    whole = GZIP * members
    between_members = {len(GZIP) * count for count in range(1, members)}
    for length in set(range(len(whole))) - between_members:
        assert decode(whole[:length], b"gzip", PLENTY) is Reason.BODY_NOT_GZIP


@given(st.binary(min_size=1, max_size=100))
@example(b"\0")
@example(GZIP[:-1])
@example(b"\x1f")
def test_anything_after_the_last_member_is_refused(garbage: bytes) -> None:
    assert decode(GZIP + garbage, b"gzip", PLENTY) is Reason.BODY_NOT_GZIP


@pytest.mark.parametrize("body", [b"", BODY, zlib.compress(BODY), b"\x1f\x8b", b"\0" * 100])
def test_what_is_not_gzip_is_refused(body: bytes) -> None:
    assert decode(body, b"gzip", PLENTY) is Reason.BODY_NOT_GZIP


@given(st.integers(0, len(GZIP) - 1), st.integers(1, 255))
def test_a_damaged_body_is_refused_or_still_says_what_it_said(position: int, flip: int) -> None:
    damaged = bytearray(GZIP)
    damaged[position] ^= flip
    decoded = decode(bytes(damaged), b"gzip", PLENTY)
    assert decoded in {BODY, Reason.BODY_NOT_GZIP}


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: GZIP[:10] + rest))
def test_whatever_arrives_gives_a_reason_or_what_the_standard_library_reads(body: bytes) -> None:
    decoded = decode(body, b"gzip", PLENTY)
    assert decoded is Reason.BODY_NOT_GZIP or decoded == gzip.decompress(body)


class _Counted:
    """A decompressor that writes down what goes in and comes out."""

    fed: list[int]
    made: list[int]

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def decompress(self, piece: bytes, max_length: int) -> bytes:
        assert max_length > 0, "zlib takes 0 for no limit"
        made: bytes = self._real.decompress(piece, max_length)
        self.fed.append(len(piece))
        self.made.append(len(made))
        return made


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[_Counted]:
    real = zlib.decompressobj
    _Counted.fed, _Counted.made = [], []
    monkeypatch.setattr(zlib, "decompressobj", lambda wbits: _Counted(real(wbits)))
    return _Counted


@pytest.mark.parametrize("members", [1, 7])
@pytest.mark.parametrize("max_bytes", [0, 1, 5000])
def test_a_bomb_is_never_blown_up_beyond_the_cap_and_one_byte(
    counted: type[_Counted], members: int, max_bytes: int
) -> None:
    bomb = gzip.compress(b"\0" * 1_000_000) * members
    assert decode(bomb, b"gzip", max_bytes) is Reason.BODY_TOO_LARGE
    assert sum(counted.made) == max_bytes + 1


def test_many_tiny_members_cost_a_small_piece_each_and_never_the_whole_rest(counted: type[_Counted]) -> None:
    tiny = gzip.compress(b"")
    assert decode(tiny * 5000, b"gzip", PLENTY) == b""
    assert max(counted.fed) <= 4096
    assert len(counted.fed) < 2.1 * 5000
