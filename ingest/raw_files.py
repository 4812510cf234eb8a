"""What has landed of one log, and the landing of one more file: each offset in one file, whoever lands it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ingest.batches import Batch
from ingest.event_log.base import Partition
from ingest.gaps import Gap, gaps_among, record_gap
from ingest.landed_files import LandedRange, files_of, log_folder, offsets_label
from ingest.parquet_files import write_parquet
from ingest.raw_store.base import RawStore


class AlreadyLanded(Exception):
    """Another lander has landed some of these offsets; the text says which."""


class RawFiles:
    """The landed files of one log in `store`; several landers may have one each, at the same time."""

    def __init__(self, store: RawStore, log_id: str) -> None:
        self.store = store
        self.log_id = log_id

    def next_offset(self, source: Partition) -> int:
        """The first offset that is neither in a file nor in a recorded gap, from names alone."""
        names = self.store.names(log_folder(source.topic, self.log_id))
        ends = [file.last_offset for file in files_of(names, source)]
        ends += [gap.last_offset for gap in gaps_among(names) if gap.source == source]
        return max(ends, default=-1) + 1

    def resume(self, source: Partition) -> int:
        """As `next_offset`, once what was landed before it can no longer be lost with the power."""
        landed = files_of(self.store.names(log_folder(source.topic, self.log_id)), source)
        if landed:
            self.store.settle([max(landed, key=lambda file: file.last_offset).name])
        return self.next_offset(source)

    def land(self, batch: Batch) -> tuple[LandedRange, int]:
        """Write the batch as a file, durable under its name when this returns; and its size in bytes.

        Raises AlreadyLanded where any of its offsets has been landed meanwhile, and OSError where the disk
        refuses; the file then is not there, or is there and complete.
        """
        landed = batch.range
        table = batch.table()
        try:
            size_bytes = self.store.create(
                landed.name,
                lambda file: write_parquet(file, table, landed),
                self._still_wanted(batch.source, landed.first_offset, landed.last_offset),
                alone_in=log_folder(landed.topic, self.log_id),
            )
        except FileExistsError as error:
            raise AlreadyLanded(f"{landed.label}: another lander created this very file") from error
        return landed, size_bytes

    def record_gap(self, source: Partition, first_offset: int, last_offset: int) -> Gap:
        """Record durably that the log had lost these offsets before they were landed.

        Raises AlreadyLanded where another lander has landed or recorded some of them meanwhile.
        """
        gap = Gap(self.log_id, source, first_offset, last_offset)
        try:
            record_gap(self.store, gap, self._still_wanted(source, first_offset, last_offset))
        except FileExistsError as error:
            raise AlreadyLanded(f"{gap.label}: another lander recorded this very gap") from error
        return gap

    def sweep(self, topics: Collection[str]) -> list[str]:
        """Remove the unfinished files of dead landers of this log, and say which; the living keep theirs."""
        return [path for topic in topics for path in self.store.sweep(log_folder(topic, self.log_id))]

    def _still_wanted(self, source: Partition, first_offset: int, last_offset: int) -> Callable[[], None]:
        def check() -> None:
            wanted = self.next_offset(source)
            if first_offset < wanted:
                label = offsets_label(source, first_offset, last_offset)
                raise AlreadyLanded(f"{label}: all before {wanted} is landed")

        return check
