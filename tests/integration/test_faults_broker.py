"""The one broker goes away in every way that brokers do, under load, and comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.settings import Settings
from tests.integration.campaign import Proof, prove_nothing_is_lost, spooled_records, wait_until_drained
from tests.integration.load import Load, Pulse
from tests.integration.receiver_process import running_receiver, wait_until
from tests.kafka_broker import Broker, forget_everything

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.soak]

LONGEST_PULSE_SECONDS = 0.5
"""Of 99 in 100 answers that need no event log, on a machine that does much else."""


@pytest.fixture
def settings(fragile_kafka: Broker, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, event_log_url=fragile_kafka.url, stop_delay_seconds=0.0)


@pytest.fixture
def outages(soaking: bool) -> int:
    return 10 if soaking else 1


@pytest.fixture
def events(soaking: bool) -> int:
    """Events to be accepted in each state of the broker."""
    return 2000 if soaking else 500


def through_outages(
    settings: Settings, outages: int, events: int, begin: Callable[[], None], end: Callable[[], None]
) -> Proof:
    """Send events before, during and after outages of the log; not one of them may be refused."""
    with running_receiver(settings) as receiver:
        with Load(lambda: receiver.port) as load, Pulse(lambda: receiver.port) as pulse:
            for _ in range(outages):
                load.wait_for_more(events)
                begin()
                load.wait_for_more(events)
                wait_until(lambda: spooled_records(settings) > 0, "events on the spool")
                end()
                load.wait_for_more(events)
        wait_until_drained(settings)
    print(f"/healthz: p99 {pulse.p99_seconds * 1000:.1f} ms, slowest {pulse.slowest_seconds * 1000:.0f} ms")
    assert pulse.p99_seconds < LONGEST_PULSE_SECONDS
    assert load.statuses() == {}
    assert load.unanswered == 0
    return prove_nothing_is_lost(settings, load)


def test_events_are_accepted_while_the_broker_is_down_at_the_start_and_land_once_it_is_up(
    settings: Settings, fragile_kafka: Broker, events: int
) -> None:
    fragile_kafka.stop()
    with running_receiver(settings) as receiver:
        with Load(lambda: receiver.port) as load:
            load.wait_for_more(events)
            assert spooled_records(settings) >= events
            fragile_kafka.start()
            load.wait_for_more(events)
        wait_until_drained(settings)
    assert load.statuses() == {}
    prove_nothing_is_lost(settings, load)


def test_a_broker_that_dies_under_load_costs_no_event(
    settings: Settings, fragile_kafka: Broker, outages: int, events: int
) -> None:
    through_outages(settings, outages, events, fragile_kafka.kill, fragile_kafka.start)


def test_a_broker_that_is_restarted_under_load_costs_no_event(
    settings: Settings, fragile_kafka: Broker, outages: int, events: int
) -> None:
    through_outages(settings, outages, events, fragile_kafka.stop, fragile_kafka.start)


def test_a_broker_that_hangs_under_load_costs_no_event_and_holds_nobody_else_up(
    settings: Settings, fragile_kafka: Broker, outages: int, events: int
) -> None:
    through_outages(settings, outages, events, fragile_kafka.pause, fragile_kafka.resume)


def test_topics_that_are_deleted_under_way_cost_no_later_event_and_hold_nobody_else_up(
    settings: Settings, fragile_kafka: Broker, events: int
) -> None:
    with running_receiver(settings) as receiver:
        with Load(lambda: receiver.port) as gone_with_its_topic:
            gone_with_its_topic.wait_for_more(events)
        forget_everything(fragile_kafka.address)
        with Load(lambda: receiver.port) as load, Pulse(lambda: receiver.port) as pulse:
            load.wait_for_more(4 * events)
        wait_until_drained(settings)
    print(f"/healthz: p99 {pulse.p99_seconds * 1000:.1f} ms, slowest {pulse.slowest_seconds * 1000:.0f} ms")
    assert pulse.p99_seconds < LONGEST_PULSE_SECONDS
    assert load.statuses() == {}
    prove_nothing_is_lost(settings, load)
