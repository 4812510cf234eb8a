"""What /metrics says of running receivers: all answers counted, whichever worker is asked, whichever dies."""

from __future__ import annotations

from pathlib import Path

import httpx
import psutil

from ingest.settings import Settings
from tests.integration.receiver_process import ReceiverProcess, running_receiver, wait_until
from tests.unit.receiver_numbers import samples_of

EVENT = b'{"event":"INFERENCE_COMPLETE","user_id":"user-1","session_id":"session-1"}'
LOOKS = 8
"""Connections of their own, so that every worker is asked at least once, very nearly always."""

Numbers = dict[tuple[str, str], float]


def _numbers(receiver: ReceiverProcess) -> Numbers:
    reply = httpx.get(f"{receiver.url}/metrics", timeout=30)
    assert reply.status_code == 200
    return samples_of(reply.text)


def _everywhere(receiver: ReceiverProcess, **expected: float) -> bool:
    """Whether look after look shows these numbers, which have no labels, and `accepted` calls."""
    for _ in range(LOOKS):
        numbers = _numbers(receiver)
        shown = {name: numbers[name, ""] for name in expected if name != "accepted"}
        shown["accepted"] = numbers["requests_total", "accepted"]
        if shown != expected:
            return False
    return True


def _workers(receiver: ReceiverProcess) -> list[psutil.Process]:
    children = psutil.Process(receiver.process.pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_a_receiver_shows_every_answer_it_gave(tmp_path: Path) -> None:
    with running_receiver(Settings(data_dir=tmp_path)) as receiver:
        replies = [
            receiver.post(EVENT),
            receiver.post(EVENT),
            receiver.post(b"no json"),
            receiver.post(EVENT, {"x-api-key": "wrong"}),
        ]
        assert [reply.status_code for reply in replies] == [200, 200, 400, 401]
        numbers = _numbers(receiver)
    assert numbers["requests_total", "accepted"] == 2
    assert numbers["requests_total", "body_not_json rejected"] == 1
    assert numbers["requests_total", "wrong_api_key rejected"] == 1
    assert numbers["requests_total", "spool_full rejected"] == 0
    assert numbers["request_duration_seconds_count", "accepted"] == 2
    assert numbers["append_duration_seconds_count", ""] == 2
    assert (
        0 < numbers["append_duration_seconds_sum", ""] <= numbers["request_duration_seconds_sum", "accepted"]
    )
    assert numbers["repeated_events_total", ""] == 1
    assert numbers["requests_in_flight", ""] == 0
    assert numbers["spooled_records_total", ""] == 0
    assert numbers["workers", ""] == 1


def test_any_worker_shows_the_numbers_of_all_and_those_of_a_dead_one_stay(tmp_path: Path) -> None:
    with running_receiver(Settings(data_dir=tmp_path), workers=2) as receiver:
        assert {receiver.post(EVENT).status_code for _ in range(40)} == {200}
        wait_until(lambda: _everywhere(receiver, accepted=40, workers=2), "every worker to show all calls")

        victim = _workers(receiver)[0]
        victim.kill()
        wait_until(lambda: not victim.is_running(), "the worker to die")
        wait_until(lambda: _everywhere(receiver, accepted=40, workers=2), "the numbers of the dead worker")

        assert receiver.post(EVENT).status_code == 200
        wait_until(lambda: _everywhere(receiver, accepted=41, workers=2), "the numbers to go on")
