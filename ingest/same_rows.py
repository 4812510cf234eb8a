"""Proves that the rows of some landed files are in others, too, all of them and all columns of each."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ingest.coverage import Share
from ingest.landed_files import LandedRange, offsets_label
from ingest.landed_rows import read_rows
from ingest.parquet_files import UnreadableFile
from ingest.raw_store.base import RawStore
from ingest.row_order import in_order


class RowsDiffer(Exception):
    """A row is not in the other files, or is another one there; `offset` says which."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def unproven(
    store: RawStore, parts: Iterable[Share], others: Iterable[Share], scratch: Path
) -> dict[LandedRange, str]:
    """Which files have rows in these parts of them that are not, just so, in the `others`; and why, in words.

    Raises UnreadableFile and FileNotFoundError for the others; a file itself that can not be read is told.
    """
    others = list(others)
    found: dict[LandedRange, str] = {}
    for layer in _layers(parts):
        found |= _unproven_of_layer(store, layer, others, scratch)
    return found


def _layers(parts: Iterable[Share]) -> list[list[Share]]:
    """The parts in as few lists as possible, in each of which none overlaps the next."""
    layers: list[list[Share]] = []
    for part in sorted(parts, key=lambda part: (part.first_offset, part.last_offset)):
        for layer in layers:
            if layer[-1].last_offset < part.first_offset:
                layer.append(part)
                break
        else:
            layers.append([part])
    return layers


def _unproven_of_layer(
    store: RawStore, layer: list[Share], others: list[Share], scratch: Path
) -> dict[LandedRange, str]:
    """All parts at once; where there is a fault, each half by itself, down to the one that has it."""
    first, last = layer[0].first_offset, layer[-1].last_offset
    parts = [Share(each.file, max(first, each.first_offset), min(last, each.last_offset)) for each in others]
    holding = chain.from_iterable(read_rows(store, part) for part in parts if not part.is_empty)
    try:
        _compare(
            in_order(_rows_of(store, layer), ["log_offset"], scratch),
            in_order(holding, ["log_offset"], scratch),
        )
    except (_UnreadableItself, RowsDiffer) as fault:
        if len(layer) == 1:
            return {layer[0].file: _in_words(layer[0].file, fault)}
        middle = len(layer) // 2
        return {
            file: why
            for half in (layer[:middle], layer[middle:])
            for file, why in _unproven_of_layer(store, half, others, scratch).items()
        }
    return {}


class _UnreadableItself(Exception):
    """One of the files whose rows are looked for can not be read."""


def _rows_of(store: RawStore, parts: Iterable[Share]) -> Iterator[pa.Table]:
    try:
        for part in parts:
            yield from read_rows(store, part)
    except UnreadableFile as error:
        raise _UnreadableItself(str(error)) from error


def _in_words(file: LandedRange, fault: Exception) -> str:
    if isinstance(fault, RowsDiffer):
        at = offsets_label(file.source, fault.offset, fault.offset)
        return f"{file.name}: its row at {at} is another one in the files that also have it, or is not there"
    return f"unreadable: {fault}"


def _compare(held: Iterator[pa.Table], holding: Iterator[pa.Table]) -> None:
    """Raise RowsDiffer at the first row that is not in both; both are in the order of offsets."""
    ahead: pa.Table | None = None
    for part in held:
        if not part.num_rows:
            continue
        _prove_each_once(part)
        last = part["log_offset"][-1].as_py()
        while ahead is None or not ahead.num_rows or ahead["log_offset"][-1].as_py() < last:
            more = next(holding, None)
            if more is None:
                break
            ahead = more if ahead is None else pa.concat_tables([ahead, more])
        if ahead is None:
            raise RowsDiffer(part["log_offset"][0].as_py())
        count = pc.sum(pc.less_equal(ahead["log_offset"], last), min_count=0).as_py()
        window, ahead = ahead.slice(0, count), ahead.slice(count)
        window = window.filter(pc.is_in(window["log_offset"], value_set=part["log_offset"]))
        if not window.equals(part):
            raise RowsDiffer(_first_difference(part, window))


def _prove_each_once(part: pa.Table) -> None:
    offsets = part["log_offset"].combine_chunks()
    is_repeated = pc.equal(offsets[1:], offsets[:-1])
    if pc.any(is_repeated, min_count=0).as_py():
        raise RowsDiffer(offsets[1:].filter(is_repeated)[0].as_py())


def _first_difference(part: pa.Table, window: pa.Table) -> int:
    """The offset of the first row of `part` that `window` does not have in its place."""
    same = bisect_left(
        range(1, part.num_rows + 1),
        True,
        key=lambda rows: not part.slice(0, rows).equals(window.slice(0, rows)),
    )
    offset: int = part["log_offset"][min(same, part.num_rows - 1)].as_py()
    return offset
