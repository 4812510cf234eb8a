"""Raw files of an older schema go on being read, beside newer ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.parquet_files import read_footer
from ingest.raw_store.local import LocalStore
from ingest.records import Header, Topic
from ingest.settings import Settings
from pipelines import warehouse
from pipelines.database import build_path
from pipelines.models import load_models
from tests.builds import different_rows, rows, run_build, table_names
from tests.older_files import make_older
from tests.raw_events import EARLY, Event, land

LATER = EARLY + timedelta(minutes=5)
OLD_EVENTS = [
    Event(body={"event": "INFERENCE_COMPLETE", "user_id": "u", "session_id": "s", "sleep_stages": [stage]})
    for stage in (1, 2)
]
NEW_EVENT = Event(
    body={"event": "INFERENCE_COMPLETE", "user_id": "u", "session_id": "s", "sleep_stages": [3]},
    received_at=LATER,
    headers={Header.CONTENT_ENCODING: b"gzip", Header.BODY_BYTES: b"44", Header.SIGNATURE: b"valid"},
)
OLD_REFUSAL = Event(body="", headers={Header.REASON: b"wrong_api_key", Header.STATUS: b"401"})
NEW_REFUSALS = Event(
    body="",
    received_at=LATER,
    headers={Header.REASON: b"wrong_api_key", Header.STATUS: b"401", Header.CALLS: b"30"},
)
CALLS = """
    select verdict, calls, content_encoding, signature, wire_bytes is not null
    from webhook_attempts order by received_at, verdict
"""
OLD_CALLS = [("accepted", 1, None, None, True)] * 2 + [("rejected", 1, None, None, False)]
NEW_CALLS = [("accepted", 1, "gzip", "valid", True), ("rejected", 30, None, None, False)]


def land_older(settings: Settings) -> list[Path]:
    paths = [land(settings, OLD_EVENTS), land(settings, [OLD_REFUSAL], topic=Topic.ATTEMPTS)]
    return [make_older(path) for path in paths]


def land_newer(settings: Settings) -> None:
    land(settings, [NEW_EVENT])
    land(settings, [NEW_REFUSALS], topic=Topic.ATTEMPTS)


def test_older_files_alone_are_built(settings: Settings) -> None:
    footers = (read_footer(LocalStore(path.parent), path.name) for path in land_older(settings))
    assert {footer.schema_version for footer in footers} == {"1"}
    run_build(settings, LATER)
    assert rows(settings, CALLS) == OLD_CALLS
    assert rows(settings, "select stages from int_session_epochs") == [([1, 2],)]


def test_newer_files_are_added_to_a_warehouse_of_older_ones(settings: Settings, tmp_path: Path) -> None:
    land_older(settings)
    run_build(settings, LATER)
    land_newer(settings)
    assert not run_build(settings, LATER).is_full
    assert rows(settings, CALLS) == [*OLD_CALLS, *NEW_CALLS]
    assert rows(settings, "select sum(calls) from webhook_attempts") == [(34,)]
    grown = tmp_path / "grown.duckdb"
    grown.write_bytes(build_path(settings).read_bytes())
    run_build(settings, LATER, full=True)
    assert not different_rows(grown, build_path(settings), table_names(), but=())


def test_a_warehouse_of_older_models_is_built_anew_from_all_files(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_older(settings)
    older = [
        replace(model, sql=model.sql.replace("coalesce(attempt_calls, 1)", "401::bigint"))
        for model in load_models()
    ]
    monkeypatch.setattr(warehouse, "load_models", lambda: older)
    run_build(settings, LATER)
    assert rows(settings, "select calls from webhook_attempts where verdict = 'rejected'") == [(401,)]
    monkeypatch.undo()
    land_newer(settings)
    assert run_build(settings, LATER).is_full
    assert rows(settings, CALLS) == [*OLD_CALLS, *NEW_CALLS]
