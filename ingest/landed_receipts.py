"""Reads what is inside landed files: their offsets, and which receipts are there, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.coverage import Share
from ingest.parquet_files import REPLACES
from ingest.raw_store.base import RawStore, StoreUnavailable


@dataclass(frozen=True, slots=True)
class ReceiptCounts:
    """Receipts of all landed rows: how many differ, and how many rows repeat one (an append tried twice)."""

    different: int
    repeated_rows: int


@dataclass(frozen=True, slots=True)
class AskedReceipts:
    """Of the receipts asked for: how many they are, which are not landed, how many are landed repeatedly."""

    asked: int
    missing: tuple[str, ...]
    repeated: int


def read_receipts(path: Path) -> pa.Array:
    """The receipts in a file that holds one a line, each once."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return pa.array(sorted({line for line in lines if line}), pa.string())


class LandedReceipts:
    """All receipts of the files added, about 50 bytes of memory each."""

    def __init__(self, store: RawStore) -> None:
        self._store = store
        self._chunks: list[pa.Array] = []

    def add(self, share: Share) -> str | None:
        """Read the receipts of the rows for which a file counts.

        What is wrong with the offsets of its rows, in words, or None. Raises StoreUnavailable.
        """
        file = share.file
        try:
            with self._store.open(file.name) as source, pq.ParquetFile(source) as parquet:
                is_compacted = REPLACES in (parquet.metadata.metadata or {})
                columns = parquet.read(columns=["receipt_id", "log_offset"])
        except StoreUnavailable:
            raise
        except (OSError, ValueError, KeyError) as error:
            return f"unreadable: {self._store.url}/{file.name}: {error}"
        offsets = columns["log_offset"]
        receipts = columns["receipt_id"]
        if not share.is_whole:
            receipts = receipts.filter(
                pc.and_(
                    pc.greater_equal(offsets, share.first_offset), pc.less_equal(offsets, share.last_offset)
                )
            )
        self._chunks.extend(receipts.chunks)
        offsets = offsets.combine_chunks()
        if not len(offsets):
            return None  # the log had no record at any of its offsets, as its footer and `verify` say
        if is_compacted:
            offsets = offsets.take(pc.sort_indices(offsets))
        if not pc.all(pc.greater(offsets[1:], offsets[:-1]), min_count=0).as_py():
            return f"{self._store.url}/{file.name}: the offsets inside are not in order, each once"
        first, last = offsets[0].as_py(), offsets[-1].as_py()
        if first < file.first_offset or last > file.last_offset:
            return f"{self._store.url}/{file.name}: the offsets inside are {first}..{last}"
        return None

    def count(self) -> ReceiptCounts:
        """Count the receipts of all rows that have one."""
        receipts = self._all()
        different = pc.count_distinct(receipts, mode="only_valid").as_py()
        return ReceiptCounts(different, len(receipts) - receipts.null_count - different)

    def look_for(self, asked: pa.Array) -> AskedReceipts:
        """Look for each of these receipts, which must all differ."""
        receipts = self._all()
        found = receipts.filter(pc.is_in(receipts, value_set=asked))
        missing = asked.filter(pc.invert(pc.is_in(asked, value_set=found)))
        counts = found.value_counts().field("counts")
        repeated = pc.sum(pc.greater(counts, 1), min_count=0).as_py()
        return AskedReceipts(len(asked), tuple(missing.to_pylist()), repeated)

    def _all(self) -> pa.ChunkedArray:
        return pa.chunked_array(self._chunks, pa.string())
