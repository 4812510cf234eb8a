"""What one call of `land` landed, counted as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.event_log.base import Partition
from ingest.landed_files import LandedRange


@dataclass
class LandedPartition:
    """What was landed of one partition: the offsets from first to last."""

    first_offset: int
    last_offset: int
    files: int = 0
    rows: int = 0


@dataclass
class LandReport:
    """What was landed; `bytes` are those of the files."""

    files: int = 0
    rows: int = 0
    bytes: int = 0
    partitions: dict[Partition, LandedPartition] = field(default_factory=dict)

    def add(self, landed: LandedRange, rows: int, size_bytes: int) -> None:
        """Count one more file."""
        self.files += 1
        self.rows += rows
        self.bytes += size_bytes
        partition = self.partitions.setdefault(
            landed.source, LandedPartition(landed.first_offset, landed.last_offset)
        )
        partition.last_offset = landed.last_offset
        partition.files += 1
        partition.rows += rows
