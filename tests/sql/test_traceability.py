"""Every row of sessions and stage_timelines leads to its receipt, its raw file and its offset, and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import duckdb
import pytest

from ingest.settings import Settings
from pipelines.models import SQL_DIR
from tests.builds import build_of, open_build
from tests.raw_events import simulated_events

DECIDED: Final = """
    select epochs.*, events.receipt_id, events.log_offset, events.first_epoch_index, events.epoch_count
    from stage_timelines as epochs
    inner join session_events as events using (user_id, session_id)
    where
        events.is_counted
        and epochs.epoch_index >= events.first_epoch_index
        and epochs.epoch_index < events.first_epoch_index + events.epoch_count
    qualify
        row_number() over (
            partition by user_id, session_id, epochs.epoch_index
            order by events.made_the_stages desc, events.revision desc
        ) = 1
"""
"""The documented join: each epoch with the event that decided it."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    events = simulated_events(users=6, days=2)
    return build_of(tmp_path_factory.mktemp("lineage"), events, datetime(2026, 1, 10, tzinfo=UTC))


@pytest.fixture(scope="module")
def warehouse(built: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_build(built) as connection:
        raw = f"read_parquet('{built.raw_dir}/**/*.parquet', hive_partitioning = false)"
        connection.execute(f"create temp view raw as select * from {raw}")
        yield connection


def rows(warehouse: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return warehouse.sql(query).fetchall()


def test_a_session_leads_to_the_record_of_its_report(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        warehouse,
        "select raw_receipt_id = raw.receipt_id and contains(raw.body, session_id) from sessions"
        " inner join session_events as events using (user_id, session_id)"
        " inner join raw using (log_id, log_topic, log_partition, log_offset) where made_the_row",
    )
    [(complete,)] = rows(warehouse, "select count(*) from sessions where state = 'complete'")
    assert found == [(True,)] * complete
    assert complete > 10


def test_every_reported_epoch_leads_to_one_event_that_says_its_stage(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    [(reported,)] = rows(warehouse, "select count(*) from stage_timelines where source is not null")
    place = "floor((epoch_index - first_epoch_index + 0.5) * len(sleep_stages) / d.epoch_count)::integer"
    said = rows(
        warehouse,
        f"select coalesce(sleep_stages[1 + {place}], -1) = stage, count(*) from ({DECIDED}) as d"
        " inner join stg_events using (user_id, session_id, log_offset) group by all",
    )
    assert said == [(True, reported)]
    assert {source for (source,) in rows(warehouse, "select distinct source from stage_timelines")} >= {
        "inference",
        "session_complete",
    }


def test_a_record_leads_back_to_the_epochs_that_it_decided(warehouse: duckdb.DuckDBPyConnection) -> None:
    [(receipt, epochs)] = rows(
        warehouse,
        f"select receipt_id, count(*) from ({DECIDED}) where source = 'inference'"
        " group by receipt_id order by count(*) desc, receipt_id limit 1",
    )
    [(first, count)] = rows(
        warehouse,
        "select first_epoch_index, epoch_count from raw inner join session_events using"
        f" (log_id, log_topic, log_partition, log_offset) where raw.receipt_id = '{receipt}'",
    )
    decided = rows(warehouse, f"select epoch_index from ({DECIDED}) where receipt_id = '{receipt}'")
    assert len(decided) == epochs > 0
    assert {index for (index,) in decided} <= set(range(first, first + count))


def test_the_example_of_lineage_names_files_that_hold_the_offsets(
    warehouse: duckdb.DuckDBPyConnection, built: Settings
) -> None:
    example = warehouse.sql((SQL_DIR / "examples" / "9_lineage.sql").read_text(encoding="utf-8"))
    named = example.project("receipt_id, raw_file, log_partition, log_offset").fetchall()
    assert named
    for receipt, raw_file, partition, offset in named:
        held = rows(
            warehouse,
            f"select receipt_id from read_parquet('{built.raw_dir / raw_file}', hive_partitioning = false)"
            f" where log_partition = {partition} and log_offset = {offset}",
        )
        assert held == [(receipt,)]
