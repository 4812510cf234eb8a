"""Each kind of bad input is answered as promised, is found again with its reason, and stops nothing."""

from __future__ import annotations

import json
import signal
from typing import NamedTuple

import pytest

from tests.system.asleep import Installation

GOOD = {
    "event": "INFERENCE_COMPLETE",
    "version": "V3",
    "timestamp": "2026-01-02T06:30:00Z",
    "user_id": "someone",
    "session_id": "a-night",
    "seq_num": 9,
    "inference_seq_num": 0,
    "sleep_stages": [0, 0, 1, 1, 1, 2, 2, 2, 3, 3],
    "breath_stages": [0] * 10,
    "snoring_stages": [0] * 10,
}
ZONE = {
    "event": "SESSION_COMPLETE",
    "data": {
        "timezone": "Mars/Olympus",
        "user_id": "someone",
        "session": {"id": "marsian-night", "state": "COMPLETE", "sleep_stages": [0, 1, 1]},
        "stat": {},
    },
}


class Bad(NamedTuple):
    name: str
    body: bytes
    status: int
    reason: str
    field: str | None


def changed(**fields: object) -> bytes:
    return json.dumps(GOOD | fields).encode()


INPUTS = [
    Bad("malformed JSON", b'{"event": ', 400, "body_not_json", None),
    Bad("not UTF-8", b'{"event": "\xff"}', 400, "body_not_utf8", None),
    Bad("a list", b"[1]", 400, "body_not_an_object", None),
    Bad("a bare NUL", b'{"event": "\x00"}', 400, "body_not_json", None),
    Bad("deep nesting", b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400, "body_not_json", None),
    Bad("two mebibytes", json.dumps(GOOD | {"x": "y" * 2 * 1024**2}).encode(), 413, "body_too_large", None),
    Bad("wrong types", changed(sleep_stages="light"), 200, "wrong_type", "sleep_stages"),
    Bad("unknown event", changed(event="PILLOW_TURNED"), 200, "unknown_event", "event"),
    Bad("stage value 7", changed(sleep_stages=[0, 7]), 200, "invalid_stage", "sleep_stages"),
    Bad("other lengths", changed(snoring_stages=[0]), 200, "array_length_mismatch", "snoring_stages"),
    Bad("no session", changed(session_id=None), 200, "missing_session_id", "session_id"),
    Bad("an escaped NUL", changed(session_id="a\0b"), 200, "invalid_character", "session_id"),
    Bad("wrong time zone", json.dumps(ZONE).encode(), 200, "invalid_timezone", "timezone"),
]


class Aftermath(NamedTuple):
    """What the callers heard, and the installation that has built its warehouse since."""

    answers: dict[str, tuple[int, dict[str, str]]]
    place: Installation


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    """All bad inputs sent, each followed by a good one, then landed and built."""
    installation = Installation(tmp_path_factory.mktemp("bad") / "data")
    receiver = installation.start("receive")
    answers = {}
    try:
        installation.wait_until_ready(receiver)
        for number, bad in enumerate(INPUTS):
            answers[bad.name] = installation.post(bad.body)
            good = changed(timestamp=f"2026-01-02T06:31:{number:02}Z", session_id=f"after {bad.name}")
            assert installation.post(good)[0] == 200
        answers["no key"] = installation.post(b"{}", {"x-api-key": ""})
    finally:
        receiver.send_signal(signal.SIGTERM)
        receiver.wait(30)
    for verb in (["land", "--once"], ["verify", "--deep"], ["build"]):
        done = installation.run(*verb)
        assert done.returncode == 0, done.stdout + done.stderr
    return Aftermath(answers, installation)


@pytest.mark.parametrize("bad", INPUTS, ids=lambda bad: bad.name)
def test_it_is_answered_and_found_again(aftermath: Aftermath, bad: Bad) -> None:
    status, answer = aftermath.answers[bad.name]
    assert status == bad.status
    if status == 200:
        question = "select reason, field from quarantined_events where receipt_id = ?"
        expected: list[tuple[object, ...]] = [(bad.reason, bad.field)]
    else:
        assert answer["error"] == bad.reason
        question = "select reason, status from webhook_attempts where verdict = 'rejected' and receipt_id = ?"
        expected = [(bad.reason, bad.status)]
    assert aftermath.place.query(question, answer["receipt_id"]) == expected


def test_nothing_behind_it_is_stopped(aftermath: Aftermath) -> None:
    rows = aftermath.place.query(
        "select session_id, epoch_count from sessions where session_id like 'after %'"
    )
    assert sorted(rows) == sorted((f"after {bad.name}", 10) for bad in INPUTS)


def test_a_call_without_a_key_is_in_the_attempts_without_its_body(aftermath: Aftermath) -> None:
    status, answer = aftermath.answers["no key"]
    assert status == 401
    question = "select reason, body from webhook_attempts where receipt_id = ?"
    found = aftermath.place.query(question, answer["receipt_id"])
    assert found == [(answer["error"], None)]
