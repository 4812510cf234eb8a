"""Files without rows, which account for offsets without a record: a build takes them like any others."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ingest.lander import land
from ingest.settings import Settings
from tests.builds import rows, run_build
from tests.unit.memory_reader import ReadableLog

AS_OF = datetime(2026, 1, 30, tzinfo=UTC)


def test_a_file_without_rows_is_loaded_and_changes_nothing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    log = ReadableLog()
    for expected in (3, 6):
        log.append(3)
        land(settings, once=True, connect=log.connect)
        log.skip(1)
        land(settings, once=True, connect=log.connect)
        run_build(settings, AS_OF)
        assert rows(settings, "select count(*) from quarantined_events") == [(expected,)]
