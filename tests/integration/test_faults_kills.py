"""kill -9 of the receiver at random points, whatever the broker does at that moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import pytest

from ingest.settings import Settings
from tests.integration.campaign import prove_nothing_is_lost, spooled_records, wait_until_drained
from tests.integration.load import Load
from tests.integration.receiver_process import ReceiverProcess, wait_until
from tests.kafka_broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.soak]

KILLS = 5
KILLS_OF_A_SOAK = 50
MOST_EVENTS = 500
EVENTS_TO_DRAIN = 1000


class Receivers:
    """One receiver after the other; `port` is 0, where nobody ever listens, between two of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: ReceiverProcess | None = None
        self.port = 0

    def start(self) -> ReceiverProcess:
        self._running = ReceiverProcess.start(self._settings)
        self._running.wait_until_ready()
        self.port = self._running.port
        return self._running

    def kill(self) -> None:
        self.port = 0
        if self._running is not None:
            self._running.kill()


@pytest.fixture
def settings(fragile_kafka: Broker, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, event_log_url=fragile_kafka.url, stop_delay_seconds=0.0)


@pytest.fixture
def receivers(settings: Settings) -> Iterator[Receivers]:
    receivers = Receivers(settings)
    yield receivers
    receivers.kill()


class Kills:
    """The ways in which a receiver dies here; each leaves the broker well, and no receiver."""

    def __init__(self, settings: Settings, receivers: Receivers, broker: Broker, load: Load) -> None:
        self._settings = settings
        self._receivers = receivers
        self._broker = broker
        self._load = load
        self.drains_cut_short = 0

    def while_all_is_well(self, chance: random.Random) -> None:
        self._receivers.start()
        self._load.wait_for_more(chance.randint(1, MOST_EVENTS))
        self._receivers.kill()

    def while_the_broker_is_away(self, chance: random.Random) -> None:
        away_from_the_start = chance.random() < 0.5
        if away_from_the_start:
            self._broker.pause()
        self._receivers.start()
        self._load.wait_for_more(chance.randint(1, MOST_EVENTS))
        if not away_from_the_start:
            self._broker.pause()
        self._load.wait_for_more(EVENTS_TO_DRAIN + chance.randint(1, MOST_EVENTS))
        self._receivers.kill()
        self._broker.resume()

    def while_it_drains(self, chance: random.Random) -> None:
        enough = chance.randrange(1 + spooled_records(self._settings))
        self._receivers.start()
        wait_until(lambda: spooled_records(self._settings) <= enough, "a drain under way")
        self._receivers.kill()
        self.drains_cut_short += spooled_records(self._settings) > 0


def test_a_receiver_that_is_killed_again_and_again_loses_nothing_it_acknowledged(
    settings: Settings, receivers: Receivers, fragile_kafka: Broker, soaking: bool
) -> None:
    chance = random.Random(20261123)
    with Load(lambda: receivers.port) as load:
        kills = Kills(settings, receivers, fragile_kafka, load)
        ways = cycle((kills.while_all_is_well, kills.while_the_broker_is_away, kills.while_it_drains))
        for kill in islice(ways, KILLS_OF_A_SOAK if soaking else KILLS):
            kill(chance)
        last = receivers.start()
        load.wait_for_more(MOST_EVENTS)
    wait_until_drained(settings)
    last.terminate()
    print(f"{kills.drains_cut_short} drains were cut short")
    proof = prove_nothing_is_lost(settings, load)
    assert proof.unanswered > 0
