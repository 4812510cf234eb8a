"""The asset of the landed files themselves: joined into large ones, removed when old, and proved whole."""

# Not `from __future__ import annotations`: Dagster reads these annotations when it runs.

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from ingest.compaction import CompactionReport, compact
from ingest.event_log.base import EventLogError
from ingest.retention import RetirementReport
from ingest.settings import Settings
from ingest.verdict import VerifyReport
from ingest.verify import verify
from pipelines.assets import LANDED, POOL, RAW_ASSETS, ReadSettings
from pipelines.database import build_lock
from pipelines.landing_proof import write_proof
from pipelines.retention import retire_loaded

UPKEEP_JOB: Final = "look_after_raw_files"
LANDED_ONCE: Final = "every_offset_is_landed_once"

_COUNTS: Final = ("files", "superfluous", "rows", "lost", "retired", "missing", "twice", "not_yet_landed")


def upkeep_asset(
    read_settings: ReadSettings,
    *,
    compact: Callable[[Settings], CompactionReport] = compact,
    retire: Callable[[Settings], RetirementReport] = retire_loaded,
    verify: Callable[[Settings], VerifyReport] = verify,
) -> dg.AssetsDefinition:
    """One asset for all landed files; the arguments are what it calls."""

    @dg.asset(
        name=LANDED,
        deps=list(RAW_ASSETS.values()),
        pool=POOL,
        check_specs=[
            dg.AssetCheckSpec(
                LANDED_ONCE,
                asset=LANDED,
                description="Holds the landed files against the event log, by their names and footers, as "
                "`asleep verify` does: no offset missing, none lost, none twice. Offsets that the lander has "
                "still before it are no fault here. A failure blocks nothing: see docs/operations.md.",
            )
        ],
        group_name="raw",
        kinds={"parquet"},
        description="The landed files of both topics. Joins the small ones of hours and days that are over, "
        "removes what ASLEEP_KEEP_EVENTS_DAYS and ASLEEP_KEEP_ATTEMPTS_DAYS keep no longer and the published "
        "warehouse holds, and proves that every offset is there once.",
    )
    def look_after_files(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        settings = read_settings()
        # A build lists the files that it then reads: none may go in between.
        with build_lock(settings):
            joined, retired = compact(settings), retire(settings)
        for words in (*joined.left_alone, *retired.waiting):
            context.log.warning("%s", words)
        yield dg.MaterializeResult(
            metadata={
                "files before": dg.MetadataValue.int(joined.files_before),
                "files": dg.MetadataValue.int(joined.files_after - retired.files),
                "joined": dg.MetadataValue.int(joined.joined),
                "made": dg.MetadataValue.int(joined.made),
                "rows joined": dg.MetadataValue.int(joined.rows),
                "bytes saved": dg.MetadataValue.int(joined.bytes_before - joined.bytes_after),
                "removed for their age": dg.MetadataValue.int(retired.files),
                "left alone": dg.MetadataValue.int(len(joined.left_alone)),
            },
            check_results=[_landed_once(settings, verify)],
        )

    return look_after_files


def _landed_once(settings: Settings, verify: Callable[[Settings], VerifyReport]) -> dg.AssetCheckResult:
    try:
        report = verify(settings)
    except (EventLogError, OSError) as error:
        return _result(passed=False, description=f"could not be told: {error}")
    write_proof(settings, report.rows(), datetime.now(UTC))
    faults = report.faults
    return _result(
        passed=not faults,
        description=f"{len(faults):,} problems" if faults else None,
        metadata={
            "partitions": dg.MetadataValue.md(_table(report)),
            "problems": dg.MetadataValue.text("\n".join(faults)),
            "notes": dg.MetadataValue.text("\n".join(report.notes)),
        },
    )


def _result(
    *, passed: bool, description: str | None, metadata: dict[str, dg.MetadataValue] | None = None
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed,
        check_name=LANDED_ONCE,
        severity=dg.AssetCheckSeverity.ERROR,
        description=description,
        metadata=metadata or {},
    )


def _table(report: VerifyReport) -> str:
    rows = [
        f"| {row['log_id']} / {row['topic']} / {row['partition']} | "
        + " | ".join(f"{row[name]:,}" for name in _COUNTS)
        + " |"
        for row in report.rows()
    ]
    head = ["log / topic / partition", *(name.replace("_", " ") for name in _COUNTS)]
    return "\n".join([f"| {' | '.join(head)} |", "|---" + "|---:" * len(_COUNTS) + "|", *rows])
