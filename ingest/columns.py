"""Records of the log into columns of a landed file: total, so that no record can stop a partition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ingest.event_log.base import LogRecord, Partition
from ingest.event_log.split_record import SplitRecord
from ingest.parquet_files import HEADERS, SCHEMA
from ingest.records import Header

LATEST_US: Final = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999 UTC in microseconds since 1970-01-01: beyond it, a number is no moment."""

_REQUIRED: Final = (Header.RECEIPT_ID, Header.RECEIVED_AT)
_NUMBERS: Final = {
    Header.STATUS: "status",
    Header.BODY_BYTES: "attempt_body_bytes",
    Header.CALLS: "attempt_calls",
}
_TEXTS: Final = tuple(header for header in Header if header not in {Header.RECEIVED_AT, *_NUMBERS})
_TYPICAL_HEADERS_BYTES: Final = 256

Values = list[bytes | None]


def received_at_us(value: bytes | None) -> int | None:
    """Microseconds since 1970-01-01 UTC of a received_at header, or None where it does not hold any."""
    if value is None or len(value) > 18 or not value.isdigit():
        return None
    moment = int(value)
    return moment if moment <= LATEST_US else None


class OpenColumns:
    """Rows that still grow, one Python list per column; `seal` packs them into Arrow memory.

    `rows` counts them; `size_bytes` is about the size of their values and headers.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.size_bytes = 0
        self._offsets: list[int] = []
        self._timestamps: list[int] = []
        self._values: Values = []
        self._headers: dict[str, Values] = {str(header): [] for header in Header}
        self._others: dict[int, list[tuple[str, bytes | None]]] = {}
        self._errors: dict[int, list[str]] = {}

    def add(self, record: LogRecord) -> None:
        """Add a record as the next row, whatever it holds."""
        self.extend([record])

    def extend(self, records: Sequence[LogRecord]) -> None:
        """Add records as the next rows, whatever they hold."""
        split = [record if isinstance(record, SplitRecord) else SplitRecord.of(record) for record in records]
        values = [record.value for record in split]
        self._values += values
        self._offsets += [record.offset for record in split]
        self._timestamps += [record.timestamp for record in split]
        self.size_bytes += sum(map(len, filter(None, values))) + _TYPICAL_HEADERS_BYTES * len(split)
        for names, alike in groupby(split, attrgetter("header_names")):
            headers = [record.header_values for record in alike]
            absent = _absent(names)
            if absent is None:
                for cells in headers:
                    self._add_odd_headers(names, cells)
                continue
            for name, column in zip(names, zip(*headers, strict=True), strict=True):
                self._headers[name] += column
            for name in absent:
                self._headers[name] += [None] * len(headers)
            self.rows += len(headers)

    def complain(self, fault: str) -> None:
        """Say what is wrong with the newest row."""
        self._complain(self.rows - 1, fault)

    def seal(self, log_id: str, partition: Partition) -> pa.RecordBatch:
        """All rows as a batch of SCHEMA."""
        columns: dict[str, pa.Array] = {
            "received_at": self._numbers(
                Header.RECEIVED_AT,
                SCHEMA.field("received_at").type,
                LATEST_US,
                received_at_us,
                "no moment in microseconds",
            ),
            "log_id": pa.repeat(log_id, self.rows),
            "log_topic": pa.repeat(partition.topic, self.rows),
            "log_partition": pa.repeat(pa.scalar(partition.partition, pa.int32()), self.rows),
            "log_offset": pa.array(self._offsets, pa.int64()),
            "log_appended_at": self._appended_at(),
        }
        for header in _TEXTS:
            columns[header] = self._text(header)
        for header, name in _NUMBERS.items():
            type_ = SCHEMA.field(name).type
            most = 2 ** (type_.bit_width - 1) - 1
            columns[name] = self._numbers(header, type_, most, partial(_number, most), "no number")
        columns["body"], columns["body_bytes"] = self._bodies()
        for header in _REQUIRED:
            self._complain_of_absent(header)
        columns["headers_other"] = _sparse(self._others, self.rows, HEADERS)
        errors = {row: "; ".join(words) for row, words in self._errors.items()}
        columns["landing_error"] = _sparse(errors, self.rows, pa.string())
        return pa.record_batch([columns[name] for name in SCHEMA.names], schema=SCHEMA)

    def _add_odd_headers(self, names: Sequence[str], values: Sequence[bytes | None]) -> None:
        """Add a row's headers where some are not ours, or there more than once."""
        row = self.rows
        self.rows += 1
        for name, value in zip(names, values, strict=True):
            self.size_bytes += len(name) + len(value or b"")
            ours = self._headers.get(name)
            if ours is not None and len(ours) == row:
                ours.append(value)
                continue
            if ours is not None:
                self._complain(row, f"header {name}: more than once, the first counts")
            self._others.setdefault(row, []).append((_encodable(name), value))
        for column in self._headers.values():
            if len(column) == row:
                column.append(None)

    def _numbers(
        self, name: str, type_: pa.DataType, most: int, read: Callable[[bytes | None], int | None], fault: str
    ) -> pa.Array:
        """A column of numbers from 0 to `most`: in one step where all are plain digits, else by `read`."""
        values = self._headers[name]
        if _all_null(values):
            return pa.nulls(self.rows, type_)
        try:
            texts = pa.array(values, pa.string())
        except pa.ArrowInvalid:
            texts = None
        if texts is not None and _are_digits(texts):
            numbers = texts.cast(pa.int64())
            if pc.max(numbers).as_py() <= most:
                return numbers.cast(type_)
        return pa.array(self._read(name, read, fault), type_)

    def _text(self, name: str) -> pa.Array:
        values = self._headers[name]
        if _all_null(values):
            return pa.nulls(self.rows, pa.string())
        try:
            return pa.array(values, pa.string())
        except pa.ArrowInvalid:
            return pa.array(self._read(name, _utf8, "not UTF-8"), pa.string())

    def _read(self, name: str, read: Callable[[bytes | None], Any], fault: str) -> list[Any]:
        """A column of headers, each read; one that can not be is kept among the others, with its fault."""
        column = self._headers[name]
        cells = [read(value) for value in column]
        if cells.count(None) != column.count(None):
            for row, (cell, value) in enumerate(zip(cells, column, strict=True)):
                if cell is None and value is not None:
                    self._complain(row, f"header {name}: {fault}")
                    self._others.setdefault(row, []).append((name, value))
        return cells

    def _bodies(self) -> tuple[pa.Array, pa.Array]:
        if None in self._values:
            for row, value in enumerate(self._values):
                if value is None:
                    self._complain(row, "no value")
        try:
            return pa.array(self._values, pa.string()), pa.nulls(self.rows, pa.binary())
        except pa.ArrowInvalid:
            texts = [_utf8(value) for value in self._values]
        unreadable = {
            row: value
            for row, (text, value) in enumerate(zip(texts, self._values, strict=True))
            if text is None and value is not None
        }
        for row in unreadable:
            self._complain(row, "value: not UTF-8")
        return pa.array(texts, pa.string()), _sparse(unreadable, self.rows, pa.binary())

    def _appended_at(self) -> pa.Array:
        if min(self._timestamps) < 0 or max(self._timestamps) > LATEST_US // 1000:
            for row, moment in enumerate(self._timestamps):
                if not 0 <= moment <= LATEST_US // 1000:
                    self._complain(row, f"log timestamp {moment}: no moment in milliseconds")
                    self._timestamps[row] = 0
        return pa.array(self._timestamps, SCHEMA.field("log_appended_at").type)

    def _complain_of_absent(self, name: str) -> None:
        column = self._headers[name]
        if None in column:
            for row, value in enumerate(column):
                if value is None:
                    self._complain(row, f"header {name}: absent")

    def _complain(self, row: int, words: str) -> None:
        self._errors.setdefault(row, []).append(words)


@lru_cache(maxsize=1024)
def _absent(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Our headers that are not among these; None where others are, or one twice."""
    ours = {str(header) for header in Header}
    if len(ours.intersection(names)) != len(names):
        return None
    return tuple(ours.difference(names))


def _all_null(values: Values) -> bool:
    return not any(values) and values.count(None) == len(values)


def _are_digits(texts: pa.StringArray) -> bool:
    """Whether all are decimal digits, few enough for 64 bits; some are not null."""
    return bool(pc.all(pc.ascii_is_decimal(texts)).as_py()) and pc.max(pc.binary_length(texts)).as_py() <= 18


def _utf8(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _number(most: int, value: bytes | None) -> int | None:
    if value is None or len(value) > 19 or not value.isdigit():
        return None
    number = int(value)
    return number if number <= most else None


def _encodable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _sparse(cells: dict[int, Any], rows: int, type_: pa.DataType) -> pa.Array:
    """A column that is null but for some rows."""
    return pa.array(map(cells.get, range(rows)), type_, size=rows) if cells else pa.nulls(rows, type_)
