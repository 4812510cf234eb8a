"""Landers of one Kafka group join, leave, die and freeze under load: no row is doubled, none is lost."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ingest.settings import Settings
from tests.integration.faulty_lander import Point
from tests.integration.lander_campaign import (
    CAME_SECOND,
    LANDED,
    READING,
    FaultyLander,
    bury,
    prove_each_landed_once,
)
from tests.integration.lander_process import (
    LanderProcess,
    Writer,
    number_of_files,
    running_lander,
    wait_until,
)

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

MOST_LANDERS = 3
MOVES = 4
MOVES_OF_A_SOAK = 60
LONGEST_SLEEP = 1.0
LONGEST_SLEEP_OF_A_SOAK = 15.0  # beyond the session time-out of the group


@pytest.fixture
def settings(kafka_url: str, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        event_log_url=kafka_url,
        land_max_age_seconds=0.3,
        append_timeout_seconds=10.0,
        lander_port=0,
    )


@pytest.fixture
def ended() -> Iterator[ExitStack]:
    """Ends what is entered, at the end of the test at the latest."""
    with ExitStack() as stack:
        yield stack


def falling_asleep(settings: Settings, point: Point, file: int, ended: ExitStack) -> FaultyLander:
    """A lander that freezes at a point of its n-th file, as on a machine that swaps."""
    lander = FaultyLander(settings, point, file, signal.SIGSTOP)
    ended.callback(lander.kill)
    return lander


def test_a_lander_that_slept_while_others_joined_died_and_landed_its_offsets_doubles_nothing(
    settings: Settings, ended: ExitStack
) -> None:
    with Writer(settings) as writer:
        sleeper = falling_asleep(settings, Point.BEFORE_SYNC, 6, ended)
        second = ended.enter_context(running_lander(settings))
        wait_until(lambda: second.logged(LANDED) and sleeper.has_reached_its_point(), "both to land")
        third = ended.enter_context(running_lander(settings))
        second.kill()
        wait_until(lambda: list(settings.raw_dir.rglob(f"{sleeper.held}*")), "the sleeper's offsets, landed")
        assert sleeper.logged(CAME_SECOND) == []
        given = len(sleeper.logged(READING))
        sleeper.resume()
        wait_until(lambda: sleeper.logged(CAME_SECOND), "the sleeper to find that out")
        wait_until(lambda: len(sleeper.logged(READING)) > given + 1, "its partitions again")
        fourth = ended.enter_context(running_lander(settings))
        wait_until(lambda: fourth.logged(LANDED), "a third lander beside two")
        assert sleeper.terminate() == 0
        files = number_of_files(settings)
        wait_until(lambda: number_of_files(settings) > files + 12, "the two that stay to land")
    assert third.terminate() == 0
    assert fourth.terminate() == 0
    assert writer.unclear == 0
    prove_each_landed_once(settings, writer.receipts)


class Crowd:
    """Landers of one group, three at most, to which things happen at random."""

    def __init__(self, settings: Settings, chance: random.Random, longest_sleep_seconds: float) -> None:
        self._settings = settings
        self._chance = chance
        self._longest_sleep_seconds = longest_sleep_seconds
        self._running: list[LanderProcess] = []
        self._all: list[LanderProcess] = []

    def move(self) -> None:
        """Let one thing happen, and return once landing goes on."""
        ways = [self.leave, self.die, self.freeze] if len(self._running) > 1 else []
        if len(self._running) < MOST_LANDERS:
            ways += [self.join, self.join_and_freeze]
        self._chance.choice(ways)()
        files = number_of_files(self._settings)
        wait_until(lambda: number_of_files(self._settings) > files + 2, "more files")

    def join(self) -> None:
        self._add(LanderProcess(self._settings))

    def leave(self) -> None:
        lander = self._take_one()
        wait_until(lambda: lander.logged(READING), "partitions for one that is to leave")
        assert lander.terminate() == 0

    def die(self) -> None:
        self._take_one().kill()

    def freeze(self) -> None:
        lander = self._chance.choice(self._running)
        lander.pause()
        self._sleep()
        lander.resume()

    def join_and_freeze(self) -> None:
        point = self._chance.choice(list(Point))
        lander = FaultyLander(self._settings, point, self._chance.randint(1, 4), signal.SIGSTOP)
        self._add(lander)
        wait_until(lander.has_reached_its_point, f"a lander that comes to {point}")
        self._sleep()
        lander.resume()

    def end(self) -> None:
        while self._running:
            self._running.pop().kill()

    def times_second(self) -> int:
        """How often one of them found its offsets landed by another."""
        return sum(len(lander.logged(CAME_SECOND)) for lander in self._all)

    def _add(self, lander: LanderProcess) -> None:
        self._running.append(lander)
        self._all.append(lander)

    def _take_one(self) -> LanderProcess:
        return self._running.pop(self._chance.randrange(len(self._running)))

    def _sleep(self) -> None:
        time.sleep(self._chance.uniform(0, self._longest_sleep_seconds))


@pytest.mark.soak
def test_landers_to_whom_anything_happens_in_any_order_land_every_offset_once(
    settings: Settings, ended: ExitStack, soaking: bool
) -> None:
    chance = random.Random(20261123)
    crowd = Crowd(settings, chance, LONGEST_SLEEP_OF_A_SOAK if soaking else LONGEST_SLEEP)
    ended.callback(crowd.end)
    moves = MOVES_OF_A_SOAK if soaking else MOVES
    with Writer(settings) as writer:
        crowd.join()
        crowd.join()
        for _ in range(moves):
            crowd.move()
    crowd.end()
    bury(settings)
    assert writer.unclear == 0
    prove_each_landed_once(settings, writer.receipts)
    print(f"{moves} moves; {len(writer.receipts)} receipts landed once; {crowd.times_second()} times second")
