"""The SQL's hypnograms are those of the rules in plain Python, however the events arrive and are split."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import asdict, replace
from datetime import UTC, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ingest.settings import Settings
from pipelines.database import build_path
from tests.builds import different_rows, open_build, run_build, settings_for, table_names
from tests.raw_events import Event, land
from tests.sql.arrivals import BEGIN, arrivals, noise, splits
from tests.sql.reference import Hypnogram, Key, hypnograms

BUILDS_ARE_SLOW = settings(
    max_examples=6,
    deadline=None,
    # an example is small as it is, and a hundred builds to make it smaller take minutes
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Twins(NamedTuple):
    """Two warehouses that get the same events, each example at once or in pieces."""

    whole: Settings
    pieces: Settings


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    folder = tmp_path_factory.mktemp("twins")
    return Twins(settings_for(folder / "whole"), settings_for(folder / "pieces"))


_examples = itertools.count(1)


def renamed(word: str, events: list[Event]) -> list[Event]:
    """The same events of users and with receipts that begin with the word."""
    others = []
    for event in events:
        body: Any = event.body
        if not isinstance(body, str):
            body = {**body, "user_id": f"{word}-{body['user_id']}"}
        others.append(replace(event, body=body, receipt_id=f"{word}-{event.receipt_id}"))
    return others


def _key(event: Event) -> Key | None:
    body: Any = event.body
    return (body["user_id"], body.get("session_id", "")) if isinstance(body, dict) else None


def interleaved(scenes: list[list[Event]]) -> list[Event]:
    """The first event of each scene, then the second of each: so a split cuts through all of them."""
    return [event for turn in itertools.zip_longest(*scenes) for event in turn if event is not None]


def built_hypnograms(built: Settings, word: str) -> dict[Key, Hypnogram]:
    with open_build(built) as connection:
        rows = connection.execute(
            "select user_id, session_id, started_at, is_final, stages, first_stages, revisions, snoring,"
            " breath, inference_seq_nums"
            " from int_session_epochs join int_session_reports using (user_id, session_id)"
            " where starts_with(user_id, ? || '-')",
            [word],
        ).fetchall()
    return {
        (user, session): Hypnogram(started_at and started_at.astimezone(UTC), *rest)
        for user, session, started_at, *rest in rows
    }


@given(scenes=st.lists(arrivals(), min_size=1, max_size=8), others=noise(), data=st.data())
@BUILDS_ARE_SLOW
def test_hypnograms_follow_the_rules_and_no_split_changes_a_row(
    twins: Twins, scenes: list[list[Event]], others: list[Event], data: st.DataObject
) -> None:
    word = f"example-{next(_examples)}"
    told = [renamed(f"{word}-{number}", scene) for number, scene in enumerate(scenes)]
    expected = hypnograms(interleaved(told))
    everything = interleaved([renamed(f"{word}-noise", others), *told])

    pieces = data.draw(splits(everything))
    land(twins.whole, everything)
    run_build(twins.whole, BEGIN)
    for piece in pieces:
        land(twins.pieces, piece)
        # in all builds but the last, every open session has been silent for long
        run_build(twins.pieces, BEGIN if piece is pieces[-1] else BEGIN + timedelta(days=1))

    built = built_hypnograms(twins.whole, word)
    assert built.keys() == expected.keys()
    for key, hypnogram in expected.items():
        assert asdict(built[key]) == asdict(hypnogram), [e for e in everything if _key(e) == key]
    assert not different_rows(build_path(twins.whole), build_path(twins.pieces), table_names())


def test_a_full_build_has_the_rows_of_all_these_builds(twins: Twins) -> None:
    grown = build_path(twins.whole).with_name("grown.duckdb")
    shutil.copyfile(build_path(twins.whole), grown)
    assert run_build(twins.whole, BEGIN, full=True).is_full
    assert not different_rows(grown, build_path(twins.whole), table_names(), but=())
