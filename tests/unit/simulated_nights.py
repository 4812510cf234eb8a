"""Nights for the simulation's tests: any night, and what the calls of a night say, read by the rules."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from pipelines.simulation.calls import Call
from pipelines.simulation.night import Night

EPOCH = timedelta(seconds=30)
STAGES = st.sampled_from([-1, 0, 1, 2, 3])
SCORED = st.sampled_from([0, 1, 2, 3])
FLAGS = st.sampled_from([0, 1])


@st.composite
def any_night(draw: st.DrawFn, stages: st.SearchStrategy[int] = STAGES, has_report: bool = True) -> Night:
    """A night of 1 to 260 epochs, early stages and flags drawn apart, in any of a few zones."""
    epochs = draw(st.integers(1, 260))

    def values(of: st.SearchStrategy[int]) -> tuple[int, ...]:
        return tuple(draw(st.lists(of, min_size=epochs, max_size=epochs)))

    return Night(
        user_id="a user",
        session_id="a session",
        started_at=datetime(2026, 10, 24, 22, 17, 3, tzinfo=UTC),
        timezone=draw(st.sampled_from(["UTC", "Asia/Seoul", "Europe/Berlin", "Australia/Lord_Howe"])),
        stages=values(stages),
        early_stages=values(STAGES),
        snoring=values(FLAGS) if draw(st.booleans()) else None,
        breath=values(FLAGS) if draw(st.booleans()) else None,
        has_report=has_report,
    )


def plain_night(epochs: int = 95, **changes: Any) -> Night:
    """A short night whose early stages are wrong throughout: light where the last word is deep."""
    values: dict[str, Any] = {
        "user_id": "user 7",
        "session_id": "session 9",
        "started_at": datetime(2026, 10, 19, 14, 0, tzinfo=UTC),
        "timezone": "Asia/Seoul",
        "stages": (0, *[2] * (epochs - 1)),
        "early_stages": (0, *[1] * (epochs - 1)),
        "snoring": (0, 1) * (epochs // 2) + (0,) * (epochs % 2),
        "breath": (1,) * epochs,
    }
    return Night(**values | changes)


def message(call: Call) -> dict[str, Any]:
    """The body, parsed."""
    parsed: dict[str, Any] = json.loads(call.body)
    return parsed


def event(call: Call) -> str:
    """The event's name, under either of its two names."""
    body = message(call)
    return str(body.get("event") or body["callback_event"])


def data(call: Call) -> dict[str, Any]:
    """The fields, wherever the dialect keeps them."""
    body = message(call)
    fields: dict[str, Any] = body.get("data") or body.get("callback_data") or body
    return fields


def stages_in(fields: dict[str, Any]) -> list[int]:
    """Stages, under either of their two names."""
    stages: list[int] = fields.get("sleep_stages") or fields["stage_list"]
    return stages


def final_stages(calls: Iterable[Call]) -> dict[int, int]:
    """Stage by epoch after all revisions.

    A second copy counts where the first one arrived; a report with stages beats all windows; else the newest
    window wins, by timestamp, else by sequence number, then by arrival. A window is placed by its time
    window, counted from the earliest one, else so that it ends with its block.
    """
    seen: dict[bytes, Call] = {}
    for call in calls:
        seen.setdefault(call.body, call)
    windows: list[tuple[str, int, int, int, list[int]]] = []
    starts = [
        datetime.fromisoformat(data(call)["time_window"]["start"])
        for call in seen.values()
        if "time_window" in data(call)
    ]
    for arrival, call in enumerate(seen.values()):
        fields = data(call)
        if event(call) == "SESSION_COMPLETE":
            if "session" in fields:
                return dict(enumerate(stages_in(fields["session"])))
            continue
        stages = stages_in(fields)
        if "time_window" in fields:
            place = (datetime.fromisoformat(fields["time_window"]["start"]) - min(starts)) / EPOCH
            assert place == int(place)
            first = int(place)
        else:
            first = 10 * (fields["inference_seq_num"] + 1) - len(stages)
        timestamp = fields.get("timestamp")
        instant = datetime.fromisoformat(timestamp).astimezone(UTC).isoformat() if timestamp else ""
        windows.append((instant, 0 if timestamp else fields.get("seq_num", 0), arrival, first, stages))
    final: dict[int, int] = {}
    for _, _, _, first, stages in sorted(windows):
        final |= {first + offset: stage for offset, stage in enumerate(stages)}
    return dict(sorted(final.items()))


def local(instant: datetime, zone: str) -> datetime:
    """Wall-clock time in a zone."""
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
