"""kill -9 of a process that builds and publishes, at random points: analysts never see a broken database."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import duckdb
import pytest

from ingest.settings import Settings
from pipelines.database import build_path
from pipelines.publishing import current_version, prove
from tests.builds import different_rows, models_read_once, run_build, settings_for, table_names
from tests.pipelines.builder_process import PATIENCE_SECONDS, builder
from tests.publications import publish_now
from tests.raw_events import Event, land, simulated_events

pytestmark = [pytest.mark.slow, pytest.mark.soak]

KILLS = 4
KILLS_OF_A_SOAK = 50
LEFT_BY_A_BUILD = {"build.duckdb", "build.lock", "build.seal", "versions", "empty"}
"""The folder's entries, of which none is half of something."""


@pytest.fixture(autouse=True)
def _models_are_read_once() -> Iterator[None]:
    with models_read_once():
        yield


def prove_whole(path: Path) -> int:
    """Read every value of a published database and count its rows; returns the number of its build."""
    with duckdb.connect(path, read_only=True) as connection:
        [(build_id, row_counts)] = connection.sql(
            "select max(build_id), arg_max(row_counts, build_id)::map(varchar, bigint) from build_info"
        ).fetchall()
        for table, count in row_counts.items():
            [(found, _)] = connection.sql(f"select count(*), sum(hash(t)) from {table} as t").fetchall()
            assert found == count, f"{table} of build {build_id}"
    return int(build_id)


@contextmanager
def an_analyst(settings: Settings) -> Iterator[list[int]]:
    """Somebody who reads the published database again and again; fails where it is not whole or not newer."""
    seen: list[int] = []
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(0.05):
            seen.append(prove_whole(settings.published_path))

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield seen
        finally:
            is_over.set()
        looking.result(PATIENCE_SECONDS)
    assert seen == sorted(seen)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How a process goes that nobody kills."""

    marks: int
    seconds: float
    operations: int


class Campaign:
    """A warehouse whose builder is killed."""

    def __init__(self, folder: Path, pieces: list[list[Event]]) -> None:
        self.settings = settings_for(folder / "killed")
        self._twin = settings_for(folder / "twin")
        self._pieces = iter(pieces)
        self.as_of = pieces[0][0].received_at

    def land_more(self) -> None:
        piece = next(self._pieces)
        land(self.settings, piece)
        self.as_of = max(event.received_at for event in piece)

    def rehearse(self, *, full: bool) -> Rehearsal:
        self.land_more()
        with builder(self.settings, self.as_of, full=full) as process:
            lines = process.lines()
            next(lines)
            started = time.monotonic()
            said = list(lines)
        return Rehearsal(len(said), time.monotonic() - started, int(said[-1].split()[-1]))

    def prove_that_nothing_is_broken(self, before: int) -> None:
        """What analysts see is whole, the next build is published, and nothing lies about after it."""
        seen = prove_whole(self.settings.published_path)
        assert seen == current_version(self.settings)
        assert before <= seen <= before + 1
        assert not [result for result in prove(self.settings.published_path) if result.blocks]
        run_build(self.settings, self.as_of)
        publish_now(self.settings)
        assert before < prove_whole(self.settings.published_path) == current_version(self.settings)
        assert {path.name for path in self.settings.warehouse_dir.iterdir()} <= LEFT_BY_A_BUILD
        for version in self.settings.warehouse_dir.glob("versions/*"):
            assert prove_whole(version / "warehouse.duckdb") == int(version.name)
        assert not list(self.settings.data_dir.glob(".*"))

    def prove_equal_to_a_full_build(self) -> None:
        """Every table is as a build of all files at once makes it."""
        shutil.copytree(self.settings.raw_dir, self._twin.raw_dir, dirs_exist_ok=True)
        run_build(self._twin, self.as_of, full=True)
        both = build_path(self._twin), build_path(self.settings)
        assert not different_rows(*both, [*table_names(), "loaded_offsets", "raw_files"], but=())


def at_a_model(campaign: Campaign, usual: Rehearsal, chance: random.Random, *, full: bool) -> bool:
    """When it has begun a model or the publishing, and a moment later."""
    with builder(campaign.settings, campaign.as_of, full=full) as process:
        for _ in zip(range(chance.randint(1, usual.marks)), process.lines(), strict=False):
            pass
        process.dies_within(chance.uniform(0, 0.02))
        process.kill()
        return process.was_killed()


def at_a_moment(campaign: Campaign, usual: Rehearsal, chance: random.Random, *, full: bool) -> bool:
    """At any moment, commit, checkpoint and fsync among them."""
    with builder(campaign.settings, campaign.as_of, full=full) as process:
        next(process.lines())
        process.dies_within(chance.uniform(0, usual.seconds))
        process.kill()
        return process.was_killed()


def before_an_operation(campaign: Campaign, usual: Rehearsal, chance: random.Random, *, full: bool) -> bool:
    """Before it opens, renames, links or removes a file; the last of them are those of the publishing."""
    death = "operation", chance.randint(1, usual.operations)
    with builder(campaign.settings, campaign.as_of, full=full, death=death) as process:
        return process.was_killed()


def in_the_copy(campaign: Campaign, _: Rehearsal, chance: random.Random, *, full: bool) -> bool:
    """With a part of the version written."""
    death = "byte", chance.randint(1, build_path(campaign.settings).stat().st_size - 1)
    with builder(campaign.settings, campaign.as_of, full=full, death=death) as process:
        return process.was_killed()


WAYS: list[Callable[..., bool]] = [at_a_model, before_an_operation, in_the_copy, at_a_moment]


@pytest.mark.timeout(3600)
def test_a_builder_killed_at_any_point_breaks_nothing_for_analysts_or_the_next_build(
    tmp_path: Path, soaking: bool
) -> None:
    chance = random.Random()
    wanted = KILLS_OF_A_SOAK if soaking else KILLS
    tries = 3 * wanted
    events = simulated_events(users=4, days=2)
    size = len(events) // (tries + 2)
    pieces = [events[start : start + size] for start in range(0, size * (tries + 2), size)]
    campaign = Campaign(tmp_path, pieces)
    campaign.rehearse(full=True)
    usual = campaign.rehearse(full=False)
    killed: Counter[str] = Counter()
    with an_analyst(campaign.settings) as seen:
        for way, _ in zip(cycle(WAYS), range(tries), strict=False):
            campaign.land_more()
            full = chance.random() < 0.4
            before = current_version(campaign.settings) or 0
            if way(campaign, usual, chance, full=full):
                killed[way.__name__] += 1
            campaign.prove_that_nothing_is_broken(before)
            if soaking:
                campaign.prove_equal_to_a_full_build()
            if killed.total() == wanted:
                break
    campaign.prove_equal_to_a_full_build()
    assert killed.total() == wanted, killed
    assert len(set(seen)) > 2, "the analyst was too slow to see the versions go by"
