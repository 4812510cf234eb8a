"""Reads the headers of Kafka's records by the layouts of headers that were read before."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

Values = tuple[bytes | None, ...]

_MOST_LAYOUTS: Final = 4096
_MOST_OF_A_SIZE: Final = 4


class _Layout(NamedTuple):
    """Where the values are in a block of headers, and what has to stand between them."""

    names: tuple[str, ...]
    between: tuple[bytes, ...]
    fields: struct.Struct


class HeaderReader:
    """Reads blocks of headers: their count, then name and value of each, all with their lengths in front.

    What stands between the values (lengths and names) is the same in most records. So a block is cut as one
    before it was; where what stands between the cuts is the same, too, it says that the cuts are right.
    """

    def __init__(self) -> None:
        self._layouts: dict[tuple[int, int], list[_Layout]] = {}
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._known = 0

    def read(self, data: bytes, start: int, end: int, hint: int) -> tuple[tuple[str, ...], Values]:
        """Names and values of the block in data[start:end]; equal names are one tuple, again and again.

        Blocks of one `hint` are expected to be alike. Raises ValueError or IndexError where this is no block.
        """
        layouts = self._layouts.get((hint, end - start), ())
        for names, between, fields in layouts:
            cuts = fields.unpack_from(data, start)
            if cuts[::2] == between:
                return names, cuts[1::2]
        names, values, pieces = self._parse(data, start, end)
        if None not in values and len(layouts) < _MOST_OF_A_SIZE:
            self._remember((hint, end - start), names, pieces)
        return names, values

    def _parse(self, data: bytes, start: int, end: int) -> tuple[tuple[str, ...], Values, list[bytes]]:
        """Names, values, and the block in pieces: every other piece is a value."""
        names: list[str] = []
        values: list[bytes | None] = []
        pieces: list[bytes] = []
        left, at = read_varint(data, start)
        cut = start
        while left > 0:
            size, at = read_varint(data, at)
            if size < 0:
                raise ValueError("a header without a name")
            names.append(data[at : at + size].decode(errors="backslashreplace"))
            size, at = read_varint(data, at + size)
            pieces.append(data[cut:at])
            cut = at + max(size, 0)
            value = data[at:cut] if size >= 0 else None
            values.append(value)
            pieces.append(value or b"")
            at = cut
            left -= 1
        if left or at != end:
            raise ValueError("the headers do not end where their record does")
        if not names:
            pieces.append(data[start:end])
        known = tuple(names)
        return self._names.setdefault(known, known), tuple(values), pieces

    def _remember(self, like: tuple[int, int], names: tuple[str, ...], pieces: list[bytes]) -> None:
        if self._known >= _MOST_LAYOUTS:
            self._layouts.clear()
            self._names.clear()
            self._known = 0
        fields = struct.Struct("".join(f"{len(piece)}s" for piece in pieces))
        self._layouts.setdefault(like, []).append(_Layout(names, tuple(pieces[::2]), fields))
        self._known += 1


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag-encoded number and where it ends; raises ValueError beyond 64 bits, IndexError at the end."""
    byte = data[at]
    at += 1
    number = byte & 0x7F
    shift = 7
    while byte >= 0x80:
        if shift >= 64:
            raise ValueError("a number of more than 64 bits")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
    return (number >> 1) ^ -(number & 1), at
