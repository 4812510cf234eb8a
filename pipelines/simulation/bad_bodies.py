"""Calls that no warehouse row can come of: bad bodies from an authentic caller, and a wrong key."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import NAMESPACE_URL, uuid5

import orjson

from pipelines.simulation.calls import Call, Kind

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.simulation.stat_fields import Body

_OVERSIZE_BYTES: Final = 2 * 1024 * 1024
_NESTING: Final = 500
"""Deep enough to break a careless reader, within what the receiver parses."""
_HOPELESS_NESTING: Final = 5_000
_STAGES: Final = (0, 0, 1, 1, 2, 2, 2, 3, 3, 1)


def bad_calls(seed: int, number: int, send_at: datetime) -> list[Call]:
    """One call of every bad kind, under session ids of their own (`number` keeps rounds apart).

    Their sender is a user of its own, whom the users file does not know, so that what becomes of these
    bodies changes nothing for the sleepers.
    """
    user_id = str(uuid5(NAMESPACE_URL, f"asleep-simulation/{seed}/broken-integration"))
    calls = []
    for place, (what, (expect, body)) in enumerate(_bodies(user_id, number).items()):
        is_wrong_key = what == "wrong key"
        headers = {"x-user-id": user_id}
        calls.append(
            Call(
                path="webhook",
                headers=headers | {"x-api-key": "not-the-key"} if is_wrong_key else headers,
                body=body,
                send_at=send_at + timedelta(seconds=place),
                kind=Kind.WRONG_KEY if is_wrong_key else Kind.BAD,
                session=(user_id, f"{what}-{number}"),
                expect=expect,
                detail=what,
            )
        )
    return calls


def _bodies(user_id: str, number: int) -> dict[str, tuple[int, bytes]]:
    """What is wrong -> the status that the contract promises, and the body."""

    def window(session: str, /, **fields: object) -> Body:
        return {
            "event": "INFERENCE_COMPLETE",
            "version": "V3",
            "timestamp": "2026-01-05T23:05:02Z",
            "user_id": user_id,
            "session_id": f"{session}-{number}",
            "seq_num": 9,
            "inference_seq_num": 0,
            "sleep_stages": _STAGES,
            "breath_stages": None,
            "snoring_stages": None,
            "time_window": {"start": "2026-01-05T23:00:00Z", "end": "2026-01-05T23:05:00Z"},
        } | fields

    def dump(session: str, /, **fields: object) -> bytes:
        return orjson.dumps(window(session, **fields))

    without_session = window("no-session")
    del without_session["session_id"]
    report: Body = {
        "event": "SESSION_COMPLETE",
        "version": "V3",
        "timestamp": "2026-01-05T23:06:32Z",
        "user_id": user_id,
        "session_id": f"bad-zone-{number}",
        "session": {
            "id": f"bad-zone-{number}",
            "state": "COMPLETE",
            "start_time": "2026-01-05T23:00:00Z",
            "end_time": "2026-01-05T23:05:00Z",
            "timezone": "Mars/Olympus_Mons",
            "sleep_stages": _STAGES,
            "snoring_stages": None,
        },
        "stat": None,
        "peculiarities": [],
    }
    return {
        "malformed JSON": (400, dump("malformed")[:-20]),
        "not UTF-8": (400, dump("latin").replace(b"V3", b"V\xe9")),
        "not an object": (400, b'["INFERENCE_COMPLETE"]'),
        "empty": (400, b""),
        "2 MiB": (413, dump("oversize", padding="x" * _OVERSIZE_BYTES)),
        "unknown event": (200, dump("unknown-event", event="MOON_COMPLETE")),
        "no event": (200, dump("no-event", event=None)),
        "no session id": (200, orjson.dumps(without_session)),
        "stage 7": (200, dump("stage-7", sleep_stages=(*_STAGES[:-1], 7))),
        "wrong types": (200, dump("types", seq_num="nine", sleep_stages="0,0,1", time_window=[1, 2])),
        "arrays of different length": (200, dump("lengths", snoring_stages=(0, 1, 0))),
        "invalid time zone": (200, orjson.dumps(report)),
        "deep nesting": (200, dump("deep").replace(b"null", _nested(_NESTING), 1)),
        "hopeless nesting": (400, _nested(_HOPELESS_NESTING)),
        "NUL character": (200, dump("nul\x00nul")),
        "wrong key": (401, dump("wrong-key")),
    }


def _nested(levels: int) -> bytes:
    return b'{"more":' * levels + b"1" + b"}" * levels
