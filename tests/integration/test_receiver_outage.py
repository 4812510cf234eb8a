"""The event log goes away under a running receiver, and comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ingest.records import Topic
from ingest.settings import Settings
from tests.event_log import locked, paused
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
        return Log(settings, lambda: locked(path))
    broker: Broker = request.getfixturevalue("fragile_kafka")
    settings = Settings(data_dir=tmp_path, append_timeout_seconds=0.5, event_log_url=broker.url)
    return Log(settings, lambda: paused(broker))


@pytest.fixture
def receiver(log: Log) -> Iterator[ReceiverProcess]:
    with running_receiver(log.settings) as process:
        yield process


def _health(receiver: ReceiverProcess) -> httpx.Response:
    return httpx.get(f"{receiver.url}/readyz", timeout=30)


def test_while_the_log_is_away_calls_are_accepted_and_the_receiver_is_degraded_until_it_is_back(
    receiver: ReceiverProcess, log: Log
) -> None:
    wait_until(lambda: _health(receiver).json() == {"status": "ready"}, "a receiver with an open log")
    sent = {receiver.post(_event("before")).json()["receipt_id"]: _event("before")}

    with log.hanging():
        for name in ("away-1", "away-2"):
            away = receiver.post(_event(name))
            assert away.status_code == 200
            sent[away.json()["receipt_id"]] = _event(name)
        degraded = _health(receiver)
        assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
        assert degraded.json()["problems"].keys() == {"event_log"}
        assert httpx.get(f"{receiver.url}/healthz", timeout=30).status_code == 200

    wait_until(lambda: _health(receiver).json() == {"status": "ready"}, "a ready receiver")
    wait_until(lambda: stored_bodies(log.settings).keys() >= sent.keys(), "the spooled events in the log")
    assert stored_bodies(log.settings) == sent


def test_refusals_are_the_same_while_the_log_is_away_and_are_recorded_when_it_is_back(
    receiver: ReceiverProcess, log: Log
) -> None:
    with log.hanging():
        refused = [
            receiver.post(_event("wrong"), {"x-api-key": "wrong"}),
            receiver.post(b"[]"),
            receiver.post(b" " * 2**21),
        ]
        assert [reply.status_code for reply in refused] == [401, 400, 413]

    def recorded() -> dict[str, bytes]:
        records = [dict(record.headers) for record in stored(log.settings, Topic.ATTEMPTS)]
        return {headers["receipt_id"].decode(): headers["reason"] for headers in records}

    expected = {reply.json()["receipt_id"]: reply.json()["error"].encode() for reply in refused}
    wait_until(lambda: recorded() == expected, "a record of each refused call")
