"""What has landed of one log, and the landing of one more file: each offset in one file, whoever lands it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ingest.batches import Batch
from ingest.durable_files import FileOperations, alone_in, sweep, temporary_file
from ingest.event_log.base import Partition
from ingest.gaps import Gap, record_gap, recorded_gaps
from ingest.parquet_files import LandedRange, last_landed, log_folder, write_parquet


class AlreadyLanded(Exception):
    """Another lander has landed some of these offsets; the text says which."""


class RawFiles:
    """The landed files of one log below `raw_dir`; several landers may have one each, at the same time."""

    def __init__(self, raw_dir: Path, log_id: str, files: FileOperations) -> None:
        self.raw_dir = raw_dir
        self.log_id = log_id
        self._files = files

    def next_offset(self, source: Partition) -> int:
        """The first offset that is neither in a file nor in a recorded gap, from names alone."""
        landed = last_landed(self.raw_dir, self.log_id, source)
        ends = [
            gap.last_offset for gap in recorded_gaps(self.raw_dir, source.topic) if self._is_of(gap, source)
        ]
        if landed is not None:
            ends.append(landed[0])
        return max(ends, default=-1) + 1

    def resume(self, source: Partition) -> int:
        """As `next_offset`, once what was landed before it can no longer be lost with the power."""
        landed = last_landed(self.raw_dir, self.log_id, source)
        if landed is not None:
            self._files.sync_folder(landed[1])
        return self.next_offset(source)

    def land(self, batch: Batch) -> tuple[LandedRange, int]:
        """Write the batch as a file, durable under its name when this returns; and its size in bytes.

        Raises AlreadyLanded where any of its offsets has been landed meanwhile, and OSError where the disk
        refuses; the file then is not there, or is there and complete.
        """
        landed = batch.range
        final = landed.path_in(self.raw_dir)
        self._files.make_folder(final.parent)
        with temporary_file(final, self._files) as (temporary, file):
            write_parquet(file, batch.table(), landed)
            self._files.sync(file)
            size_bytes = file.tell()
            with alone_in(log_folder(self.raw_dir, landed.topic, self.log_id)):
                wanted = self.next_offset(batch.source)
                if batch.first_offset < wanted:
                    temporary.unlink()
                    raise AlreadyLanded(f"{landed.label}: all before {wanted} is landed")
                self._files.publish(temporary, final)
        self._files.sync_folder(final.parent)
        return landed, size_bytes

    def record_gap(self, source: Partition, first_offset: int, last_offset: int) -> Gap:
        """Record durably that the log had lost these offsets before they were landed."""
        gap = Gap(self.log_id, source, first_offset, last_offset)
        record_gap(self.raw_dir, gap, self._files)
        return gap

    def sweep(self, topics: Collection[str]) -> list[Path]:
        """Remove the unfinished files of dead landers of this log, and say which; the living keep theirs."""
        return [
            path
            for topic in topics
            for folder in [
                log_folder(self.raw_dir, topic, self.log_id),
                *log_folder(self.raw_dir, topic, self.log_id).glob("received_date=*/"),
            ]
            for path in sweep(folder)
        ]

    def _is_of(self, gap: Gap, source: Partition) -> bool:
        return gap.log_id == self.log_id and gap.source == source
