"""The examples of the webhook's description, sent through the warehouse: each becomes the row it should."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest.openapi.examples import EXAMPLES
from ingest.settings import Settings
from tests.builds import build_of, rows
from tests.raw_events import Event

SENT_AT = datetime(2026, 3, 1, 14, 10, 3, tzinfo=UTC)
REPORTS = [name for name in EXAMPLES if "SessionComplete" in name]
WHOLE_NIGHT = EXAMPLES["FlatSessionComplete"]["session"]
WINDOW = EXAMPLES["PartialInferenceComplete"]["sleep_stages"]


def dialect_of(example: str) -> str:
    return example.partition("InferenceComplete")[0].partition("SessionComplete")[0]


def sent_by(user: str, example: str, *, seconds: int) -> Event:
    body = json.dumps(EXAMPLES[example]).replace('"user-1"', f'"{user}"')
    return Event(
        body=body,
        user_id=user,
        receipt_id=f"{user}-{example}",
        received_at=SENT_AT + timedelta(seconds=seconds),
    )


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Each report after the window of its dialect, as a user of its own."""
    events = [
        event
        for report in REPORTS
        for event in (
            sent_by(report, f"{dialect_of(report)}InferenceComplete", seconds=0),
            sent_by(report, report, seconds=60),
        )
    ]
    return build_of(tmp_path_factory.mktemp("examples"), events, datetime(2026, 3, 2, tzinfo=UTC))


def one_row(warehouse: Settings, query: str) -> tuple[Any, ...]:
    found = rows(warehouse, query)
    assert len(found) == 1
    return found[0]


def test_every_example_was_sent_and_none_is_quarantined(warehouse: Settings) -> None:
    staged = {
        receipt.rpartition("-")[2] for (receipt,) in rows(warehouse, "select receipt_id from stg_events")
    }
    assert staged == set(EXAMPLES)
    assert rows(warehouse, "select receipt_id, reason, field from quarantined_events") == []


@pytest.mark.parametrize("report", REPORTS)
def test_an_example_is_read_as_its_dialect(warehouse: Settings, report: str) -> None:
    query = f"select distinct dialect from stg_events where user_id = '{report}'"
    assert one_row(warehouse, query) == (dialect_of(report).lower(),)


@pytest.mark.parametrize("report", REPORTS)
def test_the_night_of_the_examples_is_the_same_in_every_dialect(warehouse: Settings, report: str) -> None:
    stages, snoring, started_at, ended_at, efficiency = one_row(
        warehouse,
        "select stages, snoring, started_at, ended_at, vendor_sleep_efficiency_pct"
        f" from sessions join int_session_epochs using (user_id, session_id) where user_id = '{report}'",
    )
    assert ended_at == datetime(2026, 3, 1, 14, 10, 3 if dialect_of(report) == "Partial" else 0, tzinfo=UTC)
    if dialect_of(report) == "Partial":
        assert (stages, started_at) == (WINDOW, ended_at - timedelta(minutes=5))
    else:
        assert (stages, snoring) == (WHOLE_NIGHT["sleep_stages"], WHOLE_NIGHT["snoring_stages"])
        assert started_at == ended_at - timedelta(minutes=10)
    assert efficiency == (None if report == "V1SessionComplete" else 70)


@pytest.mark.parametrize("report", REPORTS)
def test_the_window_of_the_examples_is_the_second_half_of_the_night(warehouse: Settings, report: str) -> None:
    query = f"select first_epoch, epoch_count from int_windows where user_id = '{report}'"
    assert one_row(warehouse, query) == (0 if dialect_of(report) == "Partial" else 10, len(WINDOW))
