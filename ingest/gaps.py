"""Offsets that the log had lost before they were landed: one small JSON file each, kept beside the data.

A gap makes `asleep verify` fail until somebody who knows what was lost writes why that is accepted into
`accepted_because` of its file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from ingest.durable_files import FileOperations, temporary_file
from ingest.event_log.base import Partition
from ingest.parquet_files import log_folder, offsets_label

_NAME: Final = re.compile(r"gap\+(0|[1-9][0-9]*)\+([0-9]{20})\+([0-9]{20})\.json", re.ASCII)


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets of one partition, first to last, that no file will ever hold."""

    log_id: str
    source: Partition
    first_offset: int
    last_offset: int

    @property
    def label(self) -> str:
        """The range for people: topic[partition]@first..last."""
        return offsets_label(self.source, self.first_offset, self.last_offset)

    def path_in(self, raw_dir: Path) -> Path:
        """Where the gap is recorded."""
        name = f"gap+{self.source.partition}+{self.first_offset:020}+{self.last_offset:020}.json"
        return log_folder(raw_dir, self.source.topic, self.log_id) / name

    def accepted_because(self, raw_dir: Path) -> str | None:
        """Why somebody accepted the loss, or None; raises ValueError where the file is not JSON."""
        said = orjson.loads(self.path_in(raw_dir).read_bytes())
        reason = said.get("accepted_because") if isinstance(said, dict) else None
        return reason if isinstance(reason, str) and reason.strip() else None


def record_gap(raw_dir: Path, gap: Gap, files: FileOperations) -> None:
    """Write the gap down, durably; raises OSError."""
    final = gap.path_in(raw_dir)
    files.make_folder(final.parent)
    said = {
        "log_id": gap.log_id,
        "topic": gap.source.topic,
        "partition": gap.source.partition,
        "first_offset": gap.first_offset,
        "last_offset": gap.last_offset,
        "noticed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "what": "the log no longer had these offsets when the lander came to read them",
        "accepted_because": None,
    }
    with temporary_file(final, files) as (temporary, file):
        file.write(orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        files.sync(file)
        files.publish(temporary, final)
    files.sync_folder(final.parent)


def recorded_gaps(raw_dir: Path, topic: str) -> list[Gap]:
    """The gaps recorded for a topic, by log, partition and offset."""
    gaps = []
    for path in (raw_dir / topic).glob("log=*/gap+*.json"):
        name = _NAME.fullmatch(path.name)
        if name is not None:
            log_id = path.parent.name.removeprefix("log=")
            gaps.append(Gap(log_id, Partition(topic, int(name[1])), int(name[2]), int(name[3])))
    return sorted(gaps, key=lambda gap: (gap.log_id, gap.source, gap.first_offset))
