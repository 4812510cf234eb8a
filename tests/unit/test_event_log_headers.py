"""How the embedded log keeps headers: nothing is lost, whatever the names and values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.event_log.sqlite_file import decode_headers, encode_headers


@given(st.lists(st.tuples(st.text(), st.binary())))
def test_headers_come_out_as_they_went_in(headers: list[tuple[str, bytes]]) -> None:
    assert decode_headers(encode_headers(headers)) == headers


def test_the_form_of_headers_on_disk_does_not_change() -> None:
    headers = [("a", b"\xff"), ("bc", b""), ("a", b"12")]
    lengths = bytes.fromhex("03000000 01000000 02000000 01000000 01000000 00000000 02000000")
    assert encode_headers(headers) == lengths + b"abca" + b"\xff12"
