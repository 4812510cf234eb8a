"""Any record becomes one row, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.columns import LATEST_US, OpenColumns
from ingest.event_log.base import Partition
from ingest.parquet_files import SCHEMA
from ingest.records import Header
from tests.unit.memory_reader import MemoryRecord

SOURCE = Partition("asleep.events", 4)
OURS = [(Header.RECEIPT_ID.value, b"r-1"), (Header.RECEIVED_AT.value, b"1769688000000001")]
COLUMNS = {Header.BODY_BYTES.value: "attempt_body_bytes", Header.CALLS.value: "attempt_calls"}

BYTES = st.one_of(
    st.binary(max_size=30), st.text(max_size=10).map(lambda text: text.encode("utf-8", "replace"))
)
HEADERS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([header.value for header in Header]), st.text(max_size=8)),
        st.one_of(BYTES, st.none(), st.integers(-5, 2**70).map(lambda number: str(number).encode())),
    ),
    max_size=16,
)


def rows(*records: MemoryRecord) -> list[dict[str, Any]]:
    columns = OpenColumns()
    for record in records:
        columns.add(record)
    batch = columns.seal("cluster", SOURCE)
    batch.validate(full=True)
    assert batch.schema.equals(SCHEMA)
    found: list[dict[str, Any]] = batch.to_pylist()
    assert len(found) == len(records)
    return found


def record(
    headers: Sequence[tuple[str, bytes | None]], value: bytes | None = b"{}", timestamp: int = 0
) -> MemoryRecord:
    return MemoryRecord(*SOURCE, 7, timestamp, None, value, headers)


def test_a_record_of_the_receiver_fills_its_columns_and_has_no_error() -> None:
    text = {
        Header.RECEIPT_ID: "r-1",
        Header.USER_ID: "ユーザー",
        Header.EVENT: "SLEEP",
        Header.SESSION_ID: "s",
        Header.REMOTE_ADDRESS: "127.0.0.1",
        Header.CONTENT_TYPE: "application/json",
        Header.CONTENT_ENCODING: "gzip",
        Header.PATH: "/webhook",
        Header.SIGNATURE: "none",
        Header.ENVELOPE: "1",
        Header.REASON: "body_not_json",
    }
    numbers = {
        Header.RECEIVED_AT: 1769688000000001,
        Header.STATUS: 413,
        Header.BODY_BYTES: 2**40,
        Header.CALLS: 2**33,
    }
    headers = [(name.value, str(cell).encode()) for name, cell in {**text, **numbers}.items()]
    [row] = rows(record(headers, b'{"a": "\xc3\xa9\x00"}', 1769688000123))
    assert row == {
        **{name.value: cell for name, cell in text.items()},
        "received_at": datetime(2026, 1, 29, 12, 0, 0, 1, UTC),
        "body": '{"a": "é\x00"}',
        "body_bytes": None,
        "status": 413,
        "attempt_body_bytes": 2**40,
        "attempt_calls": 2**33,
        "headers_other": None,
        "landing_error": None,
        "log_id": "cluster",
        "log_topic": "asleep.events",
        "log_partition": 4,
        "log_offset": 7,
        "log_appended_at": datetime(2026, 1, 29, 12, 0, 0, 123_000, UTC),
    }


def test_headers_that_a_call_does_not_have_are_null() -> None:
    [row] = rows(record(OURS))
    assert row["user_id"] is None
    assert row["status"] is None
    assert row["landing_error"] is None


@pytest.mark.parametrize(
    ("headers", "value", "timestamp", "error"),
    [
        ([], b"{}", 0, "header receipt_id: absent; header received_at: absent"),
        ([*OURS, ("user_id", b"\xff")], b"{}", 0, "header user_id: not UTF-8"),
        ([*OURS, ("status", b"-1")], b"{}", 0, "header status: no number"),
        ([*OURS, ("status", b"32768")], b"{}", 0, "header status: no number"),
        ([*OURS, ("body_bytes", b"9223372036854775808")], b"{}", 0, "header body_bytes: no number"),
        ([*OURS, ("calls", b"1e3")], b"{}", 0, "header calls: no number"),
        ([*OURS, ("content_encoding", b"\xff")], b"{}", 0, "header content_encoding: not UTF-8"),
        ([*OURS, ("receipt_id", b"r-2")], b"{}", 0, "header receipt_id: more than once, the first counts"),
        ([OURS[0], ("received_at", b"noon")], b"{}", 0, "header received_at: no moment in microseconds"),
        ([OURS[0], ("received_at", b"")], b"{}", 0, "header received_at: no moment in microseconds"),
        (
            [OURS[0], ("received_at", str(LATEST_US + 1).encode())],
            b"{}",
            0,
            "header received_at: no moment in microseconds",
        ),
        (OURS, None, 0, "no value"),
        (OURS, b"\xed\xa0\x80", 0, "value: not UTF-8"),
        (OURS, b"{}", -1, "log timestamp -1: no moment in milliseconds"),
        (OURS, b"{}", 2**63 - 1, "log timestamp 9223372036854775807: no moment in milliseconds"),
    ],
)
def test_what_can_not_be_read_is_named_and_the_rows_beside_it_are_not_touched(
    headers: list[tuple[str, bytes]], value: bytes | None, timestamp: int, error: str
) -> None:
    before, row, after = rows(record(OURS), record(headers, value, timestamp), record(OURS))
    assert row["landing_error"] == error
    for neighbour in (before, after):
        assert neighbour["landing_error"] is None
        assert (neighbour["receipt_id"], neighbour["body"], neighbour["headers_other"]) == ("r-1", "{}", None)


def test_foreign_headers_are_kept_as_they_came_and_are_no_error() -> None:
    [row] = rows(record([("traceparent", b"\x00\xff"), *OURS, ("traceparent", b"2"), ("none", None)]))
    assert row["headers_other"] == [
        {"name": "traceparent", "value": b"\x00\xff"},
        {"name": "traceparent", "value": b"2"},
        {"name": "none", "value": None},
    ]
    assert row["landing_error"] is None
    assert row["receipt_id"] == "r-1"


def test_a_value_that_is_no_text_is_kept_as_bytes() -> None:
    first, second = rows(record(OURS, b"\xff\xfe"), record(OURS, b"text"))
    assert (first["body"], first["body_bytes"]) == (None, b"\xff\xfe")
    assert (second["body"], second["body_bytes"]) == ("text", None)


@given(
    st.lists(
        st.tuples(HEADERS, st.one_of(BYTES, st.none()), st.integers(-(2**63), 2**63 - 1)),
        min_size=1,
        max_size=5,
    )
)
@example([([("\ud800", b"a surrogate in a name")], b"", 0)])
@settings(deadline=None)
def test_no_record_can_stop_a_partition_and_nothing_of_one_is_lost(
    given_records: list[tuple[list[tuple[str, bytes | None]], bytes | None, int]],
) -> None:
    found = rows(*(record(*fields) for fields in given_records))
    for (headers, value, _), row in zip(given_records, found, strict=True):
        assert (row["body"].encode() if row["body"] is not None else row["body_bytes"]) == value
        kept = [header["value"] for header in row["headers_other"] or []]
        for name, header in headers:
            cell = row[COLUMNS.get(name, name)] if name in set(Header) else None
            assert header is None or header in kept or cell is not None
