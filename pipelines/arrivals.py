"""What has landed, and what of it analysts can see already: offsets, from file names and from build_info."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow.parquet as pq

from ingest.coverage import shares
from ingest.landed_files import LandedRange, landed_files
from ingest.raw_store import open_store
from ingest.raw_store.base import RawStore
from ingest.settings import Settings

Offsets = dict[str, int]
"""A partition of a log, as `log_id/topic/partition` -> its last offset."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The landed files of one topic, each partition's in order, and the store that holds them."""

    store: RawStore
    files: tuple[LandedRange, ...]

    @property
    def records(self) -> int:
        """Offsets that the files account for; those that the log itself left out are among them."""
        return sum(share.offsets for share in shares(self.files))

    @property
    def offsets(self) -> Offsets:
        """The last offset of each partition."""
        return {partition: file.last_offset for partition, file in self._last_files().items()}

    def after(self, known: Mapping[str, int]) -> Arrivals:
        """The files beyond these offsets."""
        return Arrivals(
            self.store,
            tuple(
                file
                for file in self.files
                if file.last_offset > known.get(_partition(file.log_id, file.topic, file.partition), -1)
            ),
        )

    def newest_received_at(self) -> datetime | None:
        """When the newest record was received, from the footer of each partition's last file alone."""
        last = self._last_files().values()
        return max(filter(None, (_newest_received_at(self.store, file.name) for file in last)), default=None)

    def _last_files(self) -> dict[str, LandedRange]:
        in_order = sorted(self.files, key=lambda file: file.last_offset)
        return {_partition(file.log_id, file.topic, file.partition): file for file in in_order}


def arrivals(settings: Settings, topic: str) -> Arrivals:
    """What has landed of a topic, from names alone."""
    store = open_store(settings)
    return Arrivals(store, tuple(landed_files(store, topic)))


def published_offsets(settings: Settings) -> Offsets:
    """The last offsets that the published warehouse holds; none where nothing is published."""
    if not settings.published_path.exists():
        return {}
    with duckdb.connect(settings.published_path, read_only=True) as connection:
        newest = connection.table("build_info").order("build_id desc").limit(1).project("offsets").fetchall()
    return {
        _partition(row["log_id"], row["topic"], row["log_partition"]): row["last_offset"]
        for (offsets,) in newest
        for row in json.loads(offsets)
    }


def is_ahead(landed: Mapping[str, int], known: Mapping[str, int]) -> bool:
    """Whether any partition has landed further than is known."""
    return any(offset > known.get(partition, -1) for partition, offset in landed.items())


def merged(offsets: Iterable[Offsets]) -> Offsets:
    """Offsets of several topics in one mapping."""
    return {partition: offset for part in offsets for partition, offset in part.items()}


def _partition(log_id: str, topic: str, partition: int) -> str:
    return f"{log_id}/{topic}/{partition}"


def _newest_received_at(store: RawStore, name: str) -> datetime | None:
    """The largest received_at by the statistics in the footer; None where no row has one."""
    with store.open(name) as file:
        footer = pq.read_metadata(file)
    column = footer.schema.names.index("received_at")
    groups = (footer.row_group(number).column(column).statistics for number in range(footer.num_row_groups))
    return max((group.max for group in groups if group is not None and group.has_min_max), default=None)
