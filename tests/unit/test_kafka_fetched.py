"""Our decoder of Kafka's record batches gives what the client's own gives: records, positions and errors."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords, MemoryRecordsBuilder
from kafka.record.default_records import DefaultRecordBase
from kafka.record.util import calc_crc32c

from ingest.event_log import kafka_records
from ingest.event_log.kafka_fetched import FetchedRecords
from ingest.event_log.kafka_headers import HeaderReader, read_varint
from tests.unit.memory_reader import our_headers

SOURCE: Final = TopicPartition("asleep.events", 3)
CODECS: Final = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}

Record = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]

TEXTS = st.one_of(st.sampled_from(["receipt_id", "path", ""]), st.text(max_size=70))
BYTES = st.one_of(st.none(), st.binary(max_size=9), st.binary(min_size=60, max_size=70))
HEADERS = st.one_of(st.integers(0, 10**7).map(our_headers), st.lists(st.tuples(TEXTS, BYTES), max_size=4))
RECORDS = st.lists(st.tuples(st.integers(-(2**40), 2**40), BYTES, BYTES, HEADERS), min_size=1, max_size=8)


def batch(records: list[Record], first_offset: int = 0, codec: int = 0, attributes: int = 0) -> bytes:
    """A batch as a broker hands it out, with these attributes beside the codec's."""
    builder = MemoryRecordsBuilder(2, codec, 2**20, offset=0)
    for timestamp, key, value, headers in records:
        assert builder.append(timestamp, key, value, headers)
    builder.close()
    data = bytearray(builder.buffer())
    at = DefaultRecordBase.ATTRIBUTES_OFFSET
    struct.pack_into(">q", data, 0, first_offset)
    struct.pack_into(">h", data, at, struct.unpack_from(">h", data, at)[0] | attributes)
    return with_right_crc(data)


def with_right_crc(data: bytearray) -> bytes:
    crc = calc_crc32c(bytes(data[DefaultRecordBase.ATTRIBUTES_OFFSET :]))
    struct.pack_into(">I", data, DefaultRecordBase.CRC_OFFSET, crc)
    return bytes(data)


def everything(make: Callable[..., Any], data: bytes, at: int, most: int, *, crcs: bool) -> list[Any]:
    """What the decoder gives, take by take, with the position behind each; ends with what it raises."""
    seen: list[Any] = []
    try:
        part = make(at, SOURCE, MemoryRecords(data), check_crcs=crcs)
        while part:
            taken = [
                (each.topic, each.partition, each.offset, each.timestamp, each.key, each.value, each.headers)
                for each in part.take(most)
            ]
            seen.append((taken, part.next_fetch_offset, part.leader_epoch))
    except Exception as error:  # noqa: BLE001  whatever the client raises, ours has to
        seen.append(type(error))
    return seen


def both(data: bytes, at: int = 0, most: int = 3, *, crcs: bool = True) -> list[Any]:
    """What both decoders give; once with all that was learnt of headers from the first time."""
    clients = everything(Fetcher.PartitionRecords, data, at, most, crcs=crcs)
    for ours in twice(data, at, most, crcs=crcs):
        assert ours == clients
    return clients


def twice(data: bytes, at: int = 0, most: int = 3, *, crcs: bool = True) -> list[list[Any]]:
    headers = HeaderReader()
    make = partial(FetchedRecords, headers)
    return [everything(make, data, at, most, crcs=crcs) for _ in range(2)]


@given(
    st.lists(st.tuples(RECORDS, st.sampled_from([*CODECS.values()]), st.booleans()), min_size=1, max_size=3),
    st.integers(0, 12),
    st.integers(1, 9),
)
def test_batches_of_any_records_are_decoded_as_the_client_does(
    batches: list[tuple[list[Record], int, bool]], at: int, most: int
) -> None:
    data, offset = b"", 0
    for records, codec, log_gives_time in batches:
        data += batch(records, offset, codec, DefaultRecordBase.TIMESTAMP_TYPE_MASK * log_gives_time)
        offset += len(records)
    both(data, at, most)


@given(RECORDS, st.data(), st.booleans())
def test_broken_bytes_give_the_same_records_and_the_same_error(
    records: list[Record], data: st.DataObject, crcs: bool
) -> None:
    good = bytearray(batch(records))
    behind_head = DefaultRecordBase.HEADER_STRUCT.size
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(behind_head, len(good) - 1))] = data.draw(st.integers(0, 255))
    broken = with_right_crc(good) if crcs else bytes(good)
    two = batch([(0, b"k", b"before", [])]) + _moved(broken, 1)
    assume(not any("\\" in name for name in _header_names(twice(two, crcs=crcs)[0])))
    both(two, crcs=crcs)


@given(RECORDS, st.integers(0, 30))
def test_a_wrong_count_of_records_gives_the_same_error(records: list[Record], count: int) -> None:
    assume(count != len(records))
    data = bytearray(batch(records))
    struct.pack_into(">i", data, DefaultRecordBase.HEADER_STRUCT.size - 4, count)
    assert both(with_right_crc(data))[-1] is CorruptRecordError


@given(st.integers(-(2**63), 2**63 - 1))
@example(-1)
@example(64)
def test_numbers_are_read_as_the_client_writes_them(number: int) -> None:
    written = bytearray()
    _write_number(number, written)
    assert read_varint(bytes(written), 0) == (number, len(written))


@pytest.mark.parametrize("missing", [1, 5, 20, 40])
def test_a_batch_that_ends_within_its_last_record_gives_the_same_error(missing: int) -> None:
    data = bytearray(batch([(0, b"key", b"value", [*our_headers(1)])] * 3))[:-missing]
    struct.pack_into(">i", data, 8, len(data) - DefaultRecordBase.AFTER_LEN_OFFSET)
    assert both(with_right_crc(data))[-1] is CorruptRecordError


def _write_number(number: int, into: bytearray) -> None:
    left = (number << 1) ^ (number >> 63)
    while left > 0x7F:
        into.append(left & 0x7F | 0x80)
        left >>= 7
    into.append(left)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
def test_plain_batches_are_not_left_to_the_client(codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(FetchedRecords, "_client_decodes")
    part = FetchedRecords(
        HeaderReader(),
        0,
        SOURCE,
        MemoryRecords(batch([(5, None, None, []), (6, b"", b"x" * 500, [*our_headers(1)])], 0, codec)),
    )
    first, second = part.take()
    assert (first.offset, first.key, first.value, first.headers) == (0, None, None, [])
    assert (second.offset, second.key, second.value, second.headers) == (1, b"", b"x" * 500, our_headers(1))


def test_markers_of_transactions_are_passed_over() -> None:
    marker = batch(
        [(0, struct.pack(">hh", 0, 1), b"\0" * 6, [])],
        1,
        attributes=DefaultRecordBase.CONTROL_MASK | DefaultRecordBase.TRANSACTIONAL_MASK,
    )
    data = batch([(0, b"k", b"first", [])]) + marker + batch([(0, b"k", b"second", [])], 2)
    seen = both(data, most=1)
    assert [record[2] for taken, _, _ in seen for record in taken] == [0, 2]
    both(data + _moved(marker, 3))


def test_records_of_the_older_formats_are_left_to_the_client() -> None:
    for magic in (0, 1):
        builder = MemoryRecordsBuilder(magic, 0, 2**20)
        builder.append(5 if magic else None, b"key", b"value")
        builder.close()
        assert both(bytes(builder.buffer()))[0][0][0][4:] == (b"key", b"value", [])


def test_a_batch_whose_records_the_log_has_dropped_moves_the_position(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_records, "decode", None)
    data = bytearray(batch([(0, b"k", b"v", [])]))[: DefaultRecordBase.HEADER_STRUCT.size]
    struct.pack_into(">i", data, 8, len(data) - DefaultRecordBase.AFTER_LEN_OFFSET)
    struct.pack_into(">i", data, DefaultRecordBase.ATTRIBUTES_OFFSET + 2, 9)
    struct.pack_into(">i", data, DefaultRecordBase.HEADER_STRUCT.size - 4, 0)
    assert both(with_right_crc(data)) == [([], 10, 0)]


def test_a_header_name_that_is_no_text_comes_escaped() -> None:
    data = batch([(0, b"k", b"v", [("name", b"x")])]).replace(b"name", b"n\xffm\xfe")
    for seen in twice(with_right_crc(bytearray(data))):
        assert [*_header_names(seen)] == ["n\\xffm\\xfe"]


def _header_names(seen: list[Any]) -> Iterator[str]:
    for each in seen:
        if isinstance(each, tuple):
            for record in each[0]:
                yield from (name for name, _ in record[-1])


def _moved(data: bytes, first_offset: int) -> bytes:
    return struct.pack(">q", first_offset) + data[8:]
