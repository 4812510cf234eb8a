"""Builds: what is loaded when, what a crash leaves, and that every way to the same files ends in the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.records import Reason, Topic
from ingest.settings import Settings
from pipelines import warehouse
from pipelines.database import build_path
from pipelines.models import Layer, load_models
from tests.builds import (
    build_of,
    different_rows,
    models_read_once,
    open_build,
    rows,
    run_build,
    settings_for,
    table_names,
)
from tests.raw_events import Event, land, simulated_events

AS_OF = datetime(2026, 1, 10, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def _models_are_read_once() -> Iterator[None]:
    with models_read_once():
        yield


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return simulated_events(users=5, days=1)


@pytest.fixture(scope="module")
def built(events: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One full build of all events; nobody writes to it."""
    return build_of(tmp_path_factory.mktemp("built"), events, AS_OF)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


def window(session: str, received_at: datetime) -> Event:
    body = {
        "event": "INFERENCE_COMPLETE",
        "session_id": session,
        "inference_seq_num": 0,
        "sleep_stages": [1] * 10,
    }
    return Event(body=body, user_id="u", received_at=received_at)


def night(user: str, week: int, slept: int) -> Event:
    """The report of 113 epochs in bed, of which so many asleep."""
    start = AS_OF - timedelta(weeks=week)
    third = slept // 3
    session = {
        "id": f"in week {week}",
        "start_time": start.isoformat(),
        "end_time": (start + timedelta(seconds=30 * 113)).isoformat(),
        "sleep_stages": [1] * third + [2] * third + [3] * (slept - 2 * third) + [0] * (113 - slept),
    }
    body = {"event": "SESSION_COMPLETE", "data": {"user_id": user, "session": session}}
    return Event(body=body, received_at=start, receipt_id=f"{user} in week {week}")


def test_builds_one_day_after_another_end_in_the_rows_of_one_build(
    events: list[Event], built: Settings, settings: Settings
) -> None:
    pieces = [
        events[start : start + len(events) // 3 + 1] for start in range(0, len(events), len(events) // 3 + 1)
    ]
    assert len(pieces) == 3
    for piece in pieces:
        land(settings, piece)
        report = run_build(settings, piece[-1].received_at)
        assert report.new_files == 1
    run_build(settings, AS_OF)
    assert not different_rows(build_path(built), build_path(settings), table_names())


def test_a_build_in_small_chunks_has_the_same_rows(
    events: list[Event], built: Settings, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse, "SESSIONS_PER_CHUNK", 3)
    land(settings, events)
    assert run_build(settings, AS_OF).touched_sessions > 4
    assert not different_rows(build_path(built), build_path(settings), table_names(), but=())


def test_figures_do_not_depend_on_the_order_of_the_rows(tmp_path: Path) -> None:
    """Sums of fractions do, unless somebody sees to it: of eight users every eighth mean is to be rounded."""
    nights = [
        night(f"user-{user}", week, 40 + (13 * week + 7 * user) % 61)
        for week in range(40)
        for user in range(8)
    ]
    at_once = build_of(tmp_path / "at once", nights, AS_OF)
    in_pieces = settings_for(tmp_path / "in pieces")
    for start in range(3):
        land(in_pieces, nights[start::3])
        run_build(in_pieces, AS_OF)
    assert not different_rows(build_path(at_once), build_path(in_pieces), ["weekly_trends", "cohort_metrics"])


def test_the_same_events_sent_again_change_no_row_of_a_mart_but_their_counts(
    events: list[Event], built: Settings, settings: Settings
) -> None:
    land(settings, events)
    land(
        settings, [replace(e, received_at=e.received_at + timedelta(days=1), receipt_id=None) for e in events]
    )
    run_build(settings, AS_OF + timedelta(days=1))
    marts = {model.name for model in load_models() if model.layer is Layer.MARTS}
    by_receipt = {"webhook_attempts", "quarantined_events", "session_events"}
    aside = {"raw_receipt_id", "stages_receipt_id", "duplicate_events"}
    paths = build_path(built), build_path(settings)
    assert not different_rows(*paths, marts - by_receipt, but=aside)
    [counts] = rows(
        settings, "select sum(duplicate_events), sum(inference_events + final_reports) from sessions"
    )
    [before] = rows(
        built, "select sum(duplicate_events), sum(inference_events + final_reports) from sessions"
    )
    assert counts == (2 * before[0] + before[1], before[1])


def test_a_second_build_has_nothing_to_do(events: list[Event], settings: Settings) -> None:
    land(settings, events)
    assert run_build(settings, AS_OF).is_full
    report = run_build(settings, AS_OF)
    assert (report.is_full, report.new_files, report.touched_sessions, report.touched_users) == (
        False,
        0,
        0,
        0,
    )


def test_a_build_touches_what_is_new_and_nothing_else(events: list[Event], settings: Settings) -> None:
    land(settings, events)
    run_build(settings, AS_OF)
    land(settings, [window("new", AS_OF)])
    report = run_build(settings, AS_OF)
    assert (report.new_files, report.touched_sessions, report.touched_users) == (1, 1, 1)


def test_a_warehouse_without_any_file_is_complete_and_empty(settings: Settings) -> None:
    report = run_build(settings, AS_OF)
    assert set(report.row_counts.values()) == {0}
    assert rows(settings, "select count(*) from stage_timelines") == [(0,)]


def test_silence_alone_makes_a_session_abandoned_and_an_earlier_as_of_takes_it_back(
    settings: Settings,
) -> None:
    land(settings, [window("s", AS_OF)])
    states = []
    for hours in (11.9, 12, 11.9):
        report = run_build(settings, AS_OF + timedelta(hours=hours))
        states += [(report.touched_sessions, *rows(settings, "select state, validity from sessions")[0])]
    assert states == [
        (1, "in_progress", "in_progress"),
        (1, "abandoned", "valid"),
        (1, "in_progress", "in_progress"),
    ]
    patient = settings.model_copy(update={"abandoned_after_hours": 1.0})
    assert run_build(patient, AS_OF + timedelta(hours=11.9)).touched_sessions == 1


def test_a_changed_model_makes_the_next_build_a_full_one(
    events: list[Event], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(settings, events)
    run_build(settings, AS_OF)
    changed = [
        replace(model, sql=model.sql + "\n-- changed") if model.name == "users" else model
        for model in load_models()
    ]
    monkeypatch.setattr(warehouse, "load_models", lambda: changed)
    assert [run_build(settings, AS_OF).is_full for _ in range(2)] == [True, False]


def test_every_build_leaves_its_line(events: list[Event], settings: Settings) -> None:
    land(settings, events[:50], partition=0)
    land(settings, events[50:70], partition=3)
    refused = Event(
        body="", received_at=AS_OF, headers={"reason": Reason.WRONG_API_KEY.encode(), "status": b"401"}
    )
    land(settings, [refused], topic=Topic.ATTEMPTS)
    run_build(settings, AS_OF)
    land(settings, events[70:], partition=0)
    run_build(settings, AS_OF + timedelta(hours=1))
    run_build(settings, AS_OF + timedelta(hours=2), full=True)
    lines = rows(
        settings, "select build_id, epoch(as_of), is_full, new_files, offsets from build_info order by all"
    )
    first, second, third = AS_OF.timestamp(), AS_OF.timestamp() + 3600, AS_OF.timestamp() + 7200
    assert [line[:4] for line in lines] == [(1, first, True, 3), (2, second, False, 1), (3, third, True, 4)]
    offsets = [
        {(o["topic"], o["log_partition"]): o["last_offset"] for o in json.loads(line[4])} for line in lines
    ]
    events_0, events_3, attempts = (Topic.EVENTS, 0), (Topic.EVENTS, 3), (Topic.ATTEMPTS, 0)
    assert offsets[0] == {events_0: 49, events_3: 19, attempts: 0}
    assert offsets[1] == offsets[2] == {events_0: len(events) - 21, events_3: 19, attempts: 0}


def test_row_counts_of_a_build_are_those_of_its_tables(built: Settings) -> None:
    [(row_counts,)] = rows(built, "select row_counts from build_info")
    with open_build(built) as connection:
        counted = {
            name: connection.table(name).aggregate("count(*)").fetchall()[0][0]
            for name in json.loads(row_counts)
        }
    assert counted == json.loads(row_counts)
    assert counted["sessions"] > 5


def test_no_write_ahead_log_is_left(built: Settings) -> None:
    assert not list(built.warehouse_dir.glob("*.wal"))


# Runs a build, says when it has come to a model, and waits there to be killed.
