"""The spool's disk gets full, or the spool reaches its bound, while the broker is away."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage

import pytest

from ingest.settings import Settings
from ingest.spool.file import RESERVE_BYTES
from tests.integration.campaign import prove_nothing_is_lost, spooled_records, wait_until_drained
from tests.integration.load import Load
from tests.integration.receiver_process import ReceiverProcess, running_receiver, wait_until
from tests.integration.small_disks import NoMount, small_disk
from tests.kafka_broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.soak]

ROOM_BYTES = 2 * 1024 * 1024
BODY_BYTES = 4000
"""So that the room is soon filled."""


@dataclass(frozen=True)
class Disk:
    """Where the spool is, and how there comes to be little room on it, and room again."""

    settings: Settings
    narrow: Callable[[ReceiverProcess], object]
    widen: Callable[[ReceiverProcess], object]
    drains_while_narrow: bool


@pytest.fixture
def settings(fragile_kafka: Broker, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, event_log_url=fragile_kafka.url, stop_delay_seconds=0.0)


@pytest.fixture(params=["full disk", "largest file"])
def disk(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Disk]:
    if request.param == "largest file":
        yield Disk(settings, _limit_files(ROOM_BYTES), _limit_files(resource.RLIM_INFINITY), False)
        return
    try:
        with small_disk(tmp_path / "small", 2 * RESERVE_BYTES) as folder:
            ballast = folder / "ballast"
            yield Disk(
                settings.model_copy(update={"spool_dir": folder / "spool", "spool_min_free_bytes": 0}),
                lambda _: ballast.write_bytes(bytes(disk_usage(folder).free - ROOM_BYTES)),
                lambda _: ballast.unlink(),
                drains_while_narrow=True,
            )
    except NoMount as reason:
        pytest.skip(f"no small disk can be mounted: {reason}")


def _limit_files(size_bytes: int) -> Callable[[ReceiverProcess], None]:
    def limit(receiver: ReceiverProcess) -> None:
        hard = resource.RLIM_INFINITY
        resource.prlimit(receiver.process.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))

    return limit


def fill(load: Load) -> None:
    """Return once the spool has refused events for a while."""
    refused = len(load.refusals) + 50
    wait_until(lambda: len(load.refusals) > refused, "refused events")


def assert_told_to_try_again(load: Load) -> None:
    assert load.statuses().keys() == {503}
    assert all(int(refusal.headers["retry-after"]) > 0 for refusal in load.refusals)


def test_without_room_for_the_spool_events_are_refused_until_the_broker_is_back_and_none_is_lost(
    disk: Disk, fragile_kafka: Broker, soaking: bool
) -> None:
    with (
        running_receiver(disk.settings) as receiver,
        Load(lambda: receiver.port, padding_bytes=BODY_BYTES) as load,
    ):
        for _ in range(3 if soaking else 1):
            load.wait_for_more(100)
            disk.narrow(receiver)
            fragile_kafka.pause()
            fill(load)
            assert spooled_records(disk.settings) > 0
            fragile_kafka.resume()
            load.wait_for_more(300)
            if disk.drains_while_narrow:
                wait_until_drained(disk.settings)
            disk.widen(receiver)
            wait_until_drained(disk.settings)
    assert_told_to_try_again(load)
    prove_nothing_is_lost(disk.settings, load)


def test_a_spool_at_its_bound_refuses_events_until_the_broker_is_back_and_loses_none(
    settings: Settings, fragile_kafka: Broker, soaking: bool
) -> None:
    bounded = settings.model_copy(update={"spool_max_bytes": ROOM_BYTES})
    with (
        running_receiver(bounded) as receiver,
        Load(lambda: receiver.port, padding_bytes=BODY_BYTES) as load,
    ):
        for _ in range(10 if soaking else 1):
            load.wait_for_more(100)
            fragile_kafka.pause()
            fill(load)
            fragile_kafka.resume()
            load.wait_for_more(300)
            wait_until_drained(bounded)
    assert_told_to_try_again(load)
    assert {refusal.json["error"] for refusal in load.refusals} == {"spool_full"}
    prove_nothing_is_lost(bounded, load)
