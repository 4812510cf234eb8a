"""Decodes the records of one of Kafka's record batches, many times as fast as the client does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any, NamedTuple

from ingest.event_log.kafka_headers import HeaderReader, Values, read_varint
from ingest.event_log.split_record import SplitRecord

_new: Callable[[type[SplitRecord], Iterable[Any]], SplitRecord] = tuple.__new__
"""Makes a record of its fields without a step of Python."""


class BatchHead(NamedTuple):
    """What a batch says of all its records."""

    topic: str
    partition: int
    records: int
    first_offset: int
    first_timestamp: int
    append_timestamp: int | None
    """The timestamp of all records, where the log gave it; milliseconds, as the other one."""


def decode(head: BatchHead, data: bytes, headers: HeaderReader) -> list[SplitRecord] | None:
    """The records of a batch, from its bytes behind its head, uncompressed.

    None where there is anything out of the ordinary: then the client may say what it is.
    """
    try:
        return _decode(head, data, headers)
    except (ValueError, IndexError):
        return None


def _decode(head: BatchHead, data: bytes, headers: HeaderReader) -> list[SplitRecord] | None:
    offsets: list[int] = []
    timestamps: list[int] = []
    keys: list[bytes | None] = []
    values: list[bytes | None] = []
    names: list[tuple[str, ...]] = []
    header_values: list[Values] = []
    read = headers.read
    size = len(data)
    at = 0
    # This loop is most of the work of landing a backlog: numbers of one byte are read in place.
    for _ in range(head.records):
        length, at = read_varint(data, at)
        end = at + length
        if end > size or data[at] >= 0x80:
            return None
        at += 1  # attributes, of which there are none
        byte = data[at]
        if byte < 0x80:
            timestamp = (byte >> 1) ^ -(byte & 1)
            at += 1
        else:
            timestamp, at = read_varint(data, at)
        byte = data[at]
        if byte < 0x80:
            delta = (byte >> 1) ^ -(byte & 1)
            at += 1
        else:
            delta, at = read_varint(data, at)
        byte = data[at]
        if byte < 0x80:
            key_size = (byte >> 1) ^ -(byte & 1)
            at += 1
        else:
            key_size, at = read_varint(data, at)
        value_at = at + key_size if key_size > 0 else at
        value_size, from_ = read_varint(data, value_at)
        headers_at = from_ + value_size if value_size > 0 else from_
        if headers_at >= end:
            return None
        found, texts = read(data, headers_at, end, key_size)
        keys.append(data[at:value_at] if key_size >= 0 else None)
        values.append(data[from_:headers_at] if value_size >= 0 else None)
        offsets.append(head.first_offset + delta)
        timestamps.append(head.first_timestamp + timestamp)
        names.append(found)
        header_values.append(texts)
        at = end
    if at != len(data):
        return None
    if head.append_timestamp is not None:
        timestamps = [head.append_timestamp] * len(offsets)
    fields = zip(
        repeat(head.topic),
        repeat(head.partition),
        offsets,
        timestamps,
        keys,
        values,
        names,
        header_values,
        strict=False,
    )
    return [*map(_new, repeat(SplitRecord), fields)]
