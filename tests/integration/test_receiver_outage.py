"""The event log goes away under a running receiver, and comes back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from ingest.records import Topic
from ingest.settings import Settings
from tests.integration.receiver_process import (
    ReceiverProcess,
    running_receiver,
    stored,
    stored_bodies,
    wait_until,
)
from tests.kafka_broker import Broker


def _event(name: str) -> bytes:
    return b'{"event":"INFERENCE_COMPLETE","session_id":"%b"}' % name.encode()


@dataclass(frozen=True)
class Log:
    """An event log that can be made to hang for as long as a `with` lasts."""

    settings: Settings
    hanging: Callable[[], AbstractContextManager[object]]


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    if request.param == "sqlite":
        path = tmp_path / "event_log.db"
        settings = Settings(data_dir=tmp_path, append_timeout_seconds=0.5)
        return Log(settings, lambda: _locked(path))
    broker: Broker = request.getfixturevalue("fragile_kafka")
    settings = Settings(data_dir=tmp_path, append_timeout_seconds=0.5, event_log_url=broker.url)
    return Log(settings, lambda: _paused(broker))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The embedded log, locked against every other writer."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def _paused(broker: Broker) -> Iterator[None]:
    broker.pause()
    try:
        yield
    finally:
        broker.resume()


@pytest.fixture
def receiver(log: Log) -> Iterator[ReceiverProcess]:
    with running_receiver(log.settings) as process:
        yield process


def test_while_the_log_is_away_calls_get_503_and_the_receiver_is_not_ready_until_it_is_back(
    receiver: ReceiverProcess, log: Log
) -> None:
    before = receiver.post(_event("before"))
    assert before.status_code == 200

    with log.hanging():
        away = receiver.post(_event("away"))
        assert (away.status_code, away.json()["error"]) == (503, "log_unavailable")
        assert int(away.headers["retry-after"]) > 0
        not_ready = httpx.get(f"{receiver.url}/readyz", timeout=30)
        assert not_ready.status_code == 503
        assert not_ready.json()["problems"].keys() == {"event_log"}
        assert httpx.get(f"{receiver.url}/healthz", timeout=30).status_code == 200

    wait_until(receiver.ready, "a ready receiver")
    after = receiver.post(_event("after"))
    assert after.status_code == 200
    bodies = stored_bodies(log.settings)
    assert bodies[before.json()["receipt_id"]] == _event("before")
    assert bodies[after.json()["receipt_id"]] == _event("after")
    (warning,) = receiver.logged("event not stored")
    assert warning["receipt_id"] == away.json()["receipt_id"]


def test_refusals_are_the_same_while_the_log_is_away(receiver: ReceiverProcess, log: Log) -> None:
    with log.hanging():
        assert receiver.post(_event("wrong"), {"x-api-key": "wrong"}).status_code == 401
        assert receiver.post(b"[]").status_code == 400
        assert receiver.post(b" " * 2**21).status_code == 413
    warnings = partial(receiver.logged, "refused call not recorded")
    wait_until(lambda: len(warnings()) == 3, "a warning of each refused call")
    assert {line["reason"] for line in warnings()} == {"log_unavailable"}
    wait_until(receiver.ready, "a ready receiver")
    receiver.post(b"[]")
    headers = [dict(record.headers) for record in stored(log.settings, Topic.ATTEMPTS)]
    newest = max(headers, key=lambda header: int(header["received_at"]))
    assert newest["reason"] == b"body_not_an_object"
