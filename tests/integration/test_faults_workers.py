"""One of several worker processes dies under load."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from ingest.settings import Settings
from tests.integration.campaign import prove_nothing_is_lost, spooled_records, wait_until_drained
from tests.integration.load import Load
from tests.integration.receiver_process import ReceiverProcess, running_receiver, wait_until
from tests.kafka_broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.soak]

WORKERS = 2


@pytest.fixture
def settings(fragile_kafka: Broker, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, event_log_url=fragile_kafka.url, stop_delay_seconds=0.0)


def workers_of(receiver: ReceiverProcess) -> dict[psutil.Process, int]:
    """The living workers that serve calls, with how many connections each has."""
    serving = {line["process"] for line in receiver.logged("Application startup complete.")}
    found = {}
    for process in psutil.Process(receiver.process.pid).children():
        if process.pid in serving:
            with suppress(psutil.NoSuchProcess):  # it died at this moment
                found[process] = _connections_of(process, receiver.port)
    return found


def _connections_of(worker: psutil.Process, port: int) -> int:
    return sum(
        each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port
        for each in worker.net_connections("tcp")
    )


def spread(load: Load, receiver: ReceiverProcess) -> None:
    """Add connections until every worker serves some: whichever is awake first takes a new one."""
    while not all(workers_of(receiver).values()):
        load.add_connection()
        wait_until(lambda: sum(workers_of(receiver).values()) == load.connections, "a new connection")


def test_a_worker_that_dies_is_replaced_and_others_land_what_it_acknowledged(
    settings: Settings, fragile_kafka: Broker, soaking: bool
) -> None:
    with running_receiver(settings, workers=WORKERS) as receiver:

        def wait_for_all_workers() -> None:
            wait_until(lambda: len(workers_of(receiver)) == WORKERS, "all workers")

        wait_for_all_workers()
        with Load(lambda: receiver.port) as load:
            for _ in range(10 if soaking else 1):
                fragile_kafka.pause()
                spread(load, receiver)
                load.wait_for_more(1000)
                assert spooled_records(settings) > 0
                unanswered = load.unanswered
                workers = workers_of(receiver)
                victim = min(workers, key=lambda worker: workers[worker])
                victim.kill()
                load.wait_for_more(500)
                wait_for_all_workers()
                assert workers.keys() - {victim} <= workers_of(receiver).keys()
                assert load.unanswered - unanswered <= workers[victim]
                fragile_kafka.resume()
                load.wait_for_more(500)
        wait_until_drained(settings)
    assert load.statuses() == {}
    prove_nothing_is_lost(settings, load)
