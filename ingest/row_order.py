"""Sorts more rows than memory should hold: pieces are sorted, put on the disk, and joined cut by cut."""

from __future__ import annotations

import mmap
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

Key = tuple[tuple[bool, object], ...]

_PIECE_BYTES: Final = 32 * 1024 * 1024
_PART_BYTES: Final = 32 * 1024 * 1024
_PART_ROWS: Final = 122_880  # a row group as DuckDB reads it
_SAMPLES_OF_A_PART: Final = 64


class _Piece(NamedTuple):
    """Sorted rows; `mapped` is the file that they are read from as they are looked at, None if in memory."""

    rows: pa.Table
    mapped: mmap.mmap | None = None

    def forget(self) -> None:
        """Give back the memory of what was looked at; it is read again where it is needed again."""
        if self.mapped is not None:
            self.mapped.madvise(mmap.MADV_DONTNEED)


def in_order(
    tables: Iterable[pa.Table], by: Sequence[str], scratch: Path, *, piece_bytes: int = _PIECE_BYTES
) -> Iterator[pa.Table]:
    """All rows of these tables sorted by columns, nulls last, in tables of at most about a row group.

    No two rows may have the same key. At most a few times `piece_bytes` are in memory; what is more is in
    files below `scratch` that have no name, so that nothing is left of them whatever happens.
    """
    pieces: list[_Piece] = []
    gathered: list[pa.Table] = []
    size = 0
    for table in tables:
        gathered.append(table)
        size += table.nbytes
        if size >= piece_bytes:
            pieces.append(_spilled(_sorted(gathered, by), scratch))
            gathered, size = [], 0
    if gathered:
        last = _sorted(gathered, by)
        pieces.append(_spilled(last, scratch) if pieces else _Piece(last))
        del last
    pieces = [piece for piece in pieces if piece.rows.num_rows]
    if pieces:
        yield from _joined(pieces, by)


def _sorted(tables: list[pa.Table], by: Sequence[str]) -> pa.Table:
    table = pa.concat_tables(tables).combine_chunks()
    tables.clear()
    return table.sort_by([(name, "ascending") for name in by])


def _spilled(rows: pa.Table, scratch: Path) -> _Piece:
    """The same rows, on the disk."""
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=scratch) as file:
        with pa.ipc.new_file(file, rows.schema) as writer:
            writer.write_table(rows.combine_chunks())
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return _Piece(pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped))).read_all(), mapped)


def _joined(pieces: list[_Piece], by: Sequence[str]) -> Iterator[pa.Table]:
    count = sum(piece.rows.num_rows for piece in pieces)
    size = sum(piece.rows.nbytes for piece in pieces)
    part_rows = max(1, min(_PART_ROWS, _PART_BYTES * count // max(size, 1)))
    if len(pieces) == 1:
        for start in range(0, count, part_rows):
            yield pieces[0].rows.slice(start, part_rows)
        return
    begins = [0] * len(pieces)
    for cut in [*_cuts(pieces, by, part_rows), None]:
        ends = [piece.rows.num_rows if cut is None else _rows_before(piece, by, cut) for piece in pieces]
        slices = [
            piece.rows.slice(begin, end - begin)
            for piece, begin, end in zip(pieces, begins, ends, strict=True)
        ]
        begins = ends
        part = _sorted(slices, by)
        for piece in pieces:
            piece.forget()
        if part.num_rows:
            yield part


def _cuts(pieces: list[_Piece], by: Sequence[str], part_rows: int) -> list[Key]:
    """Keys between which there are about `part_rows` rows of all pieces together."""
    step = max(1, part_rows // _SAMPLES_OF_A_PART)
    samples = sorted(_key(piece, by, row) for piece in pieces for row in range(0, piece.rows.num_rows, step))
    every = max(1, part_rows // step)
    return samples[every::every]


def _rows_before(piece: _Piece, by: Sequence[str], cut: Key) -> int:
    return bisect_left(range(piece.rows.num_rows), cut, key=lambda row: _key(piece, by, row))


def _key(piece: _Piece, by: Sequence[str], row: int) -> Key:
    """The key of a row, to be compared as Arrow does: strings by code point, nulls last."""
    values = (piece.rows[name][row].as_py() for name in by)
    return tuple((value is None, "" if value is None else value) for value in values)
