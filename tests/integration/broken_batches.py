"""Breaks record batches in the files of a broker that is down, as a failing disk does."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from kafka.admin import KafkaAdminClient
from kafka.record.util import calc_crc32c

from ingest.event_log.base import Partition
from tests.kafka_broker import Broker

Fault = Callable[[bytearray], None]

_CRC_AT, _ATTRIBUTES_AT, _LAST_OFFSET_AT, _RECORDS_AT = 17, 21, 23, 61
"""Where a batch of Kafka's second format has its checksum, of all behind it; its codec; its last offset,
counted from its first; and its records."""


def break_batches(broker: Broker, source: Partition, faults: Mapping[int, Fault]) -> None:
    """Stop the broker, change the batches that begin at these offsets, and start it again."""
    with KafkaAdminClient(bootstrap_servers=broker.address) as admin:
        [described] = admin.describe_log_dirs([source.topic])
        [folder] = {Path(each["log_dir"]) for each in described["log_dirs"]}
    broker.stop()
    path = folder / f"{source.topic}-{source.partition}" / "00000000000000000000.log"
    log = bytearray(path.read_bytes())
    found = set()
    at = 0
    while at < len(log):
        first_offset, length = struct.unpack_from(">qi", log, at)
        end = at + 12 + length
        if first_offset in faults:
            batch = log[at:end]
            faults[first_offset](batch)
            log[at:end] = batch
            found.add(first_offset)
        at = end
    assert found == set(faults), "no batch begins there"
    path.write_bytes(log)
    broker.start()


def flip_a_bit(batch: bytearray) -> None:
    """In its last record; the checksum tells."""
    batch[-3] ^= 1


def claim_more_records(batch: bytearray) -> None:
    """Say in its head, where the checksum tells, that it goes on over many offsets more."""
    struct.pack_into(">i", batch, _LAST_OFFSET_AT, 1_000_000)


def claim_codec(number: int) -> Fault:
    """Say that the batch is compressed, which it is not."""

    def claim(batch: bytearray) -> None:
        struct.pack_into(">h", batch, _ATTRIBUTES_AT, number)
        _seal(batch)

    return claim


def claim_long_record(batch: bytearray) -> None:
    """Say that its first record is longer than all of it."""
    batch[_RECORDS_AT : _RECORDS_AT + 4] = b"\xff\xff\xff\x7f"
    _seal(batch)


def _seal(batch: bytearray) -> None:
    checksum = calc_crc32c(memoryview(batch)[_ATTRIBUTES_AT:])
    struct.pack_into(">I", batch, _CRC_AT, checksum)
