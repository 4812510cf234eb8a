"""No body whatsoever stops a build, costs its neighbours a row, or is lost without a word."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ingest.settings import Settings
from tests.builds import rows, run_build, settings_for
from tests.raw_events import EARLY, Event, land

STAGES = [0, 0, 1, 1, 2, 2, 2, 3, 3, 1]
FLAT = {
    "event": "INFERENCE_COMPLETE",
    "version": "V3",
    "timestamp": "2026-01-05T23:05:02Z",
    "user_id": "u",
    "session_id": "s",
    "seq_num": 9,
    "inference_seq_num": 0,
    "sleep_stages": STAGES,
    "breath_stages": None,
    "snoring_stages": STAGES[:2] * 5,
    "time_window": {"start": "2026-01-05T23:00:00Z", "end": "2026-01-05T23:05:00Z"},
}
REPORT = {
    "event": "SESSION_COMPLETE",
    "data": {
        "timezone": "UTC",
        "peculiarities": [],
        "missing_data_ratio": 0.1,
        "user_id": "u",
        "session": {
            "id": "s",
            "state": "COMPLETE",
            "start_time": "2026-01-05T23:00:00+09:00",
            "end_time": "2026-01-05T23:05:00+09:00",
            "created_timezone": "Asia/Seoul",
            "sleep_stages": STAGES,
        },
        "stat": {"sleep_time": "00:05:00", "sleep_efficiency": 0.8, "sleep_cycle": [], "time_in_bed": 300},
    },
}
OLD = {
    "callback_event": "SESSION_COMPLETE",
    "callback_version": "V1",
    "callback_data": {
        "user_id": "u",
        "session_id": "s",
        "validity": "VALID",
        "session_start_time": "2026-01-05T23:00:00Z",
        "session_end_time": "2026-01-05T23:05:00Z",
        "stage_list": STAGES,
        "stat": None,
    },
}
NEIGHBOUR = Event(body=FLAT | {"user_id": "neighbour"}, received_at=EARLY)

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(
            None,
            True,
            False,
            0,
            -1,
            7,
            1.5,
            1e300,
            -(2**63),
            2**64,
            10**400,
            "",
            " ",
            "\x00",
            "é",
            "🎈",
            "\ud800",
        ),
        *(
            [],
            {},
            [None],
            [[]],
            [1, [2]],
            [1e300],
            [-1] * 30_000,
            {"a": {"b": []}},
            "VALID",
            "2026-13-45T99:99:99Z",
        ),
        *("2000-01-01", "2099-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+15:59"),
        *(
            "infinity",
            "epoch",
            "2026-01-05T23:00:00+99:99",
            "12:00",
            "nan",
            "-inf",
            "Etc/GMT+12",
            "'; drop table x",
        ),
    ]
)
JSON = ODD | st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
BYTES = (
    st.text(max_size=40).map(str.encode)
    | st.binary(max_size=40)
    | st.sampled_from([b"", b"\xff\xfe", b"\x00", b"{" * 50, b'{"a":1}x', b"\xef\xbb\xbf{}"])
)


def places(body: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a body with each of its keys."""
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        yield body, key
        yield from places(value)


@st.composite
def spoiled(draw: Callable[[st.SearchStrategy[Any]], Any]) -> dict[str, Any]:
    """A good body of which one to three values were replaced, or taken away."""
    body: dict[str, Any] = copy.deepcopy(draw(st.sampled_from([FLAT, REPORT, OLD])))
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(list(places(body)) or [(body, "event")]))
        if draw(st.booleans()) and isinstance(container, dict) and key in container:
            del container[key]
        else:
            container[key] = draw(JSON)
    return body


def written(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


_examples = itertools.count(1)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_for(tmp_path_factory.mktemp("bodies"))


@given(bodies=st.lists(spoiled() | spoiled() | JSON | BYTES, min_size=1, max_size=40))
@settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_body_becomes_rows_or_is_set_aside_and_costs_its_neighbours_nothing(
    warehouse: Settings, bodies: list[Any]
) -> None:
    word = f"example-{next(_examples)}"
    events = [
        Event(body=written(body), user_id="u", received_at=EARLY, receipt_id=f"{word}-{number}")
        for number, body in enumerate(bodies)
    ]
    land(warehouse, [NEIGHBOUR, *events])
    run_build(warehouse, EARLY)
    accounted = rows(
        warehouse,
        "select receipt_id from int_session_events union select receipt_id from quarantined_events"
        " where not is_partial",
    )
    assert {receipt for (receipt,) in accounted} >= {event.receipt_id for event in events}
    neighbours = "select stages, snoring from int_session_epochs where user_id = 'neighbour'"
    assert rows(warehouse, neighbours) == [(STAGES, STAGES[:2] * 5)]
