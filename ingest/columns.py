"""Records of the log into columns of a landed file: total, so that no record can stop a partition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import pyarrow as pa

from ingest.event_log.base import LogRecord, Partition
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
        self._appends = {name: column.append for name, column in self._headers.items()}
        self._others: dict[int, list[tuple[str, bytes | None]]] = {}
        self._errors: dict[int, list[str]] = {}

    def add(self, record: LogRecord) -> None:
        """Add a record as the next row, whatever it holds."""
        self.extend([record])

    def extend(self, records: Sequence[LogRecord]) -> None:
        """Add records as the next rows, whatever they hold."""
        values = [record.value for record in records]
        self._values += values
        self._offsets += [record.offset for record in records]
        self._timestamps += [record.timestamp for record in records]
        self.size_bytes += sum(map(len, filter(None, values))) + _TYPICAL_HEADERS_BYTES * len(records)
        appends = self._appends
        columns = tuple(self._headers.values())
        rows = self.rows
        for record in records:
            rows += 1
            try:
                for name, header in record.headers:
                    appends[name](header)
            except KeyError:  # a name that is not ours
                self._redo_headers(rows - 1, record)
            for column in columns:
                if len(column) < rows:
                    column.append(None)
                elif len(column) > rows:
                    self._redo_headers(rows - 1, record)
        self.rows = rows

    def complain(self, fault: str) -> None:
        """Say what is wrong with the newest row."""
        self._complain(self.rows - 1, fault)

    def seal(self, log_id: str, partition: Partition) -> pa.RecordBatch:
        """All rows as a batch of SCHEMA."""
        columns: dict[str, pa.Array] = {
            "received_at": pa.array(
                self._read(Header.RECEIVED_AT, received_at_us, "no moment in microseconds"),
                SCHEMA.field("received_at").type,
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
            limit = 2 ** (type_.bit_width - 1)
            columns[name] = pa.array(self._read(header, partial(_number, limit), "no number"), type_)
        columns["body"], columns["body_bytes"] = self._bodies()
        for header in _REQUIRED:
            self._complain_of_absent(header)
        columns["headers_other"] = _sparse(self._others, self.rows, HEADERS)
        errors = {row: "; ".join(words) for row, words in self._errors.items()}
        columns["landing_error"] = _sparse(errors, self.rows, pa.string())
        return pa.record_batch([columns[name] for name in SCHEMA.names], schema=SCHEMA)

    def _redo_headers(self, row: int, record: LogRecord) -> None:
        """Fill a row's headers where some are not ours, or there more than once."""
        for column in self._headers.values():
            del column[row:]
        headers: Sequence[tuple[str, bytes | None]] = record.headers
        for name, header in headers:
            self.size_bytes += len(name) + len(header or b"")
            ours = self._headers.get(name)
            if ours is not None and len(ours) == row:
                ours.append(header)
                continue
            if ours is not None:
                self._complain(row, f"header {name}: more than once, the first counts")
            self._others.setdefault(row, []).append((_encodable(name), header))
        for column in self._headers.values():
            if len(column) == row:
                column.append(None)

    def _text(self, name: str) -> pa.Array:
        values = self._headers[name]
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


def _utf8(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _number(limit: int, value: bytes | None) -> int | None:
    if value is None or len(value) > 19 or not value.isdigit():
        return None
    number = int(value)
    return number if number < limit else None


def _encodable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _sparse(cells: dict[int, Any], rows: int, type_: pa.DataType) -> pa.Array:
    """A column that is null but for some rows."""
    return pa.array(map(cells.get, range(rows)), type_, size=rows) if cells else pa.nulls(rows, type_)
