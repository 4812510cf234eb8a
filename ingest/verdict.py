"""What `verify` found, and the same as rows of a table and as JSON, whose shapes others may rely on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import orjson

from ingest.landed_receipts import AskedReceipts, ReceiptCounts
from ingest.partition_report import PartitionReport

FORMAT: Final = 1
"""Of the JSON; a higher one may lack, or mean differently, what this one has."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` found; `problems` say in words what is wrong, `notes` what is odd but explained.

    Those problems that only wait, for the lander or on a spool, are `on_their_way`, too. `receipts` is there
    after a deep look, `asked_receipts` where receipts were given.
    """

    partitions: tuple[PartitionReport, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    receipts: ReceiptCounts | None = None
    asked_receipts: AskedReceipts | None = None
    on_their_way: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything in the log is landed, each offset exactly once, and each receipt asked for."""
        return not self.problems

    @property
    def faults(self) -> tuple[str, ...]:
        """The problems that do not go away by themselves while receiver and lander are at work."""
        return tuple(problem for problem in self.problems if problem not in self.on_their_way)

    def rows(self) -> list[dict[str, object]]:
        """One row a partition: its log, topic and number, the counts of PartitionReport, and its problems."""
        return [_row(part) for part in self.partitions]

    def json(self) -> bytes:
        """The report as a JSON object: format, verdict (well or problems), and its fields."""
        return orjson.dumps(
            {
                "format": FORMAT,
                "verdict": "well" if self.ok else "problems",
                "problems": self.problems,
                "on_their_way": self.on_their_way,
                "notes": self.notes,
                "receipts": None if self.receipts is None else asdict(self.receipts),
                "asked_receipts": None if self.asked_receipts is None else asdict(self.asked_receipts),
                "partitions": self.rows(),
            },
            option=orjson.OPT_INDENT_2,
        )


def untold(why: str) -> bytes:
    """The JSON of a verdict that could not be told: shaped like any other, with `why` as its one problem."""
    return orjson.dumps(
        {
            "format": FORMAT,
            "verdict": "unknown",
            "problems": [why],
            "on_their_way": [],
            "notes": [],
            "receipts": None,
            "asked_receipts": None,
            "partitions": [],
        },
        option=orjson.OPT_INDENT_2,
    )


def _row(part: PartitionReport) -> dict[str, object]:
    return {
        "log_id": part.log_id,
        "topic": part.source.topic,
        "partition": part.source.partition,
        "log_first_offset": None if part.log is None else part.log.first_offset,
        "log_end_offset": None if part.log is None else part.log.end_offset,
        "first_landed": part.first_landed,
        "last_landed": part.last_landed,
        "files": part.files,
        "superfluous": part.superfluous,
        "rows": part.rows,
        "without_row": part.without_row,
        "lost": part.lost,
        "retired": part.retired,
        "missing": part.missing,
        "twice": part.twice,
        "not_yet_landed": part.not_yet_landed,
        "problems": list(part.problems),
    }
