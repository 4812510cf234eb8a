"""Worlds of cases, built once; the models of sql/ are parsed once for all builds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ingest.settings import Settings
from tests.builds import models_read_once, settings_for
from tests.sql.cases import Case, load_cases
from tests.sql.worlds import build_at_once, build_step_by_step


@pytest.fixture(scope="session", autouse=True)
def _models_are_read_once() -> Iterator[None]:
    with models_read_once():
        yield


@dataclass(frozen=True, slots=True)
class World:
    """Two warehouses of the same events: of one build, and of a build after each arrival."""

    cases: list[Case]
    at_once: Settings
    step_by_step: Settings


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> list[World]:
    by_world: dict[object, list[Case]] = {}
    for case in load_cases():
        by_world.setdefault(case.world, []).append(case)
    built = []
    for cases in by_world.values():
        folder = tmp_path_factory.mktemp("world")
        world = World(
            cases,
            settings_for(folder / "at_once", cases[0].users_file),
            settings_for(folder / "step_by_step", cases[0].users_file),
        )
        build_at_once(world.at_once, cases)
        build_step_by_step(world.step_by_step, cases)
        built.append(world)
    return built
