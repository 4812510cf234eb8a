"""Whatever the order in which a session's events arrive, and however often each does: the same rows."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import pytest

from pipelines.simulation.dialects import Dialect, calls_of
from pipelines.simulation.night import Night
from pipelines.simulation.recordings import simulated_nights
from pipelines.simulation.sleepers import population
from tests.builds import build_of, open_build
from tests.raw_events import Event

AS_OF: Final = datetime(2026, 3, 1, tzinfo=UTC)
COPIES: Final = 5

Prints = dict[str, dict[str, dict[str, object]]]

TABLES: Final = ("sessions", "stage_timelines", "stage_runs", "weekly_trends")
OF_THE_ARRIVAL: Final = {
    "user_id",
    "first_received_at",
    "last_received_at",
    "raw_receipt_id",
    "stages_receipt_id",
    "duplicate_events",
}
SAID_BY_TIMESTAMPS: Final = {"first_stage", "revisions", "inference_seq_num"}
"""Of which window came first, only those that carry a timestamp tell."""


def nights() -> list[Night]:
    return list(simulated_nights(population(11, 4), date(2026, 1, 5), 2))


def told(night: Night, dialect: Dialect) -> list[Event]:
    """The night's events as they come from a perfect world, none where nothing but arrival orders them."""
    calls = calls_of(night, dialect)
    if any(call.order_matters for call in calls):
        return []
    return [
        Event(body=call.body, user_id=call.headers["x-user-id"], received_at=call.send_at) for call in calls
    ]


def of_another_user(event: Event, prefix: str) -> Event:
    user = str(event.user_id)
    return replace(
        event,
        body=event.value.replace(user.encode(), f"{prefix}~{user}".encode()),
        user_id=f"{prefix}~{user}",
    )


def jumbled(events: list[Event], chance: random.Random) -> Iterator[Event]:
    """The same events at one another's times, some of them up to three times."""
    moments = [event.received_at for event in events]
    chance.shuffle(moments)
    for event, moment in zip(events, moments, strict=True):
        yield replace(event, received_at=moment)
        for _ in range(chance.choice([0, 0, 0, 1, 2])):
            yield replace(
                event, received_at=chance.choice(moments) + timedelta(seconds=chance.randint(0, 99))
            )


def prints(connection: duckdb.DuckDBPyConnection, table: str, aside: set[str]) -> Prints:
    """By user, then by copy: the number of a table's rows and a fingerprint of each of its columns."""
    columns = [column for column in connection.table(table).columns if column not in aside]
    each = ", ".join(f"sum(hash(row(k, t.{column})))" for column in columns)
    keys = [c for c in ("session_id", "epoch_index", "run_index", "week_start") if c in columns]
    rows = connection.sql(
        f"select split_part(user_id, '~', 2), split_part(user_id, '~', 1), count(*), {each}"
        f" from (select *, row({', '.join(keys)}) as k from {table}) as t group by all"
    ).fetchall()
    found: defaultdict[str, dict[str, dict[str, object]]] = defaultdict(dict)
    for user, copy, *values in rows:
        found[user][copy] = dict(zip(["rows", *columns], values, strict=True))
    return found


# nothing but their arrival orders the windows of the partial form
@pytest.mark.parametrize("dialect", [dialect for dialect in Dialect if dialect is not Dialect.PARTIAL])
def test_any_order_and_repetition_of_a_sessions_events_gives_the_same_rows(
    dialect: Dialect, tmp_path: Path
) -> None:
    seed = random.randrange(10**9)
    print(f"random seed {seed}")
    chance = random.Random(seed)
    whole = [events for night in nights() if (events := told(night, dialect))]
    arrivals = [of_another_user(event, "0") for events in whole for event in events]
    for copy in range(1, COPIES):
        for events in whole:
            arrivals += [of_another_user(event, str(copy)) for event in jumbled(events, chance)]
    chance.shuffle(arrivals)
    built = build_of(tmp_path, arrivals, AS_OF)
    aside = OF_THE_ARRIVAL | (set() if dialect is Dialect.FLAT else SAID_BY_TIMESTAMPS)
    with open_build(built) as connection:
        for table in TABLES:
            found = prints(connection, table, aside)
            assert len(found) == len({str(events[0].user_id) for events in whole})
            for user, copies in found.items():
                assert set(copies) == {str(copy) for copy in range(COPIES)}, (table, user)
                for jumble in copies.values():
                    assert jumble == copies["0"], (table, user)
        [(duplicates, of_the_original)] = connection.sql(
            "select sum(duplicate_events), sum(duplicate_events) filter (starts_with(user_id, '0~'))"
            " from sessions"
        ).fetchall()
    repeated = len(arrivals) - COPIES * sum(map(len, whole))
    assert duplicates == COPIES * of_the_original + repeated
