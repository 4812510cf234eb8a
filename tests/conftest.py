"""Fixtures that several folders of tests share: clean settings, a real broker, both event logs."""

from __future__ import annotations

import gc
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import pytest

from ingest.settings import Settings
from tests.kafka_broker import Broker, forget_everything, running_broker
from tests.kafka_cluster import Cluster, running_cluster
from tests.kafka_jars import BrokerUnavailable
from tests.s3_server import S3Server, running_s3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ADDRESS = "ASLEEP_TEST_KAFKA"
_REQUIRED = "ASLEEP_REQUIRE_KAFKA"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak` runs the long form of the tests that are marked with `soak`."""
    parser.addoption("--soak", action="store_true", help="run the long form of tests that have one")


def pytest_configure(config: pytest.Config) -> None:
    """Warnings of kafka-python that are not ours to mend; all others are errors."""
    # It reads its schemas with functions that Python 3.11 and 3.12 warn of.
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")
    # It leaves a socket that never got connected to the garbage collector.
    never_connected = r"unclosed <socket.socket fd=\d+, family=2, type=1, proto=6, laddr=\('0.0.0.0', \d+\)>"
    config.addinivalue_line("filterwarnings", f"ignore:{never_connected}:ResourceWarning")


@dataclass(frozen=True)
class GivenBroker:
    """A broker that somebody else runs: tests use it and never stop it."""

    address: str

    @property
    def url(self) -> str:
        return f"kafka://{self.address}"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sees the settings it makes, not those of the shell it was started from."""
    for name in os.environ.keys() - {_ADDRESS, _REQUIRED}:
        if name.upper().startswith("ASLEEP_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server of our own."""
    with running_s3() as server:
        yield server


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that configures the logging of its process does so for its own test alone."""
    loggers = [logging.getLogger(), logging.getLogger("kafka")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture
def soaking(request: pytest.FixtureRequest) -> bool:
    """Whether this run has the time for a test's long form."""
    return bool(request.config.getoption("--soak"))


@pytest.fixture(scope="session")
def own_kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this test run; needs Java and Maven."""
    try:
        with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
            yield broker
    except BrokerUnavailable as reason:
        _without_a_broker(str(reason))


@pytest.fixture(scope="session")
def kafka_broker(request: pytest.FixtureRequest) -> Broker | GivenBroker:
    """The broker at ASLEEP_TEST_KAFKA, or one of this test run; what is left on it is not cleaned up."""
    address = os.environ.get(_ADDRESS)
    if address:
        return GivenBroker(address)
    broker: Broker = request.getfixturevalue("own_kafka_broker")
    return broker


@pytest.fixture
def kafka_url(kafka_broker: Broker | GivenBroker) -> str:
    """A cluster without topics and groups of ours, as a value of ASLEEP_EVENT_LOG_URL."""
    forget_everything(kafka_broker.address)
    return kafka_broker.url


@pytest.fixture
def fragile_kafka(own_kafka_broker: Broker) -> Iterator[Broker]:
    """A broker, without topics and groups of ours, that the test may pause, kill, stop and start."""
    forget_everything(own_kafka_broker.address)
    yield own_kafka_broker
    own_kafka_broker.heal()
    # What kafka-python left behind is found here, where its warnings are known, and not after the last test.
    gc.collect()


@pytest.fixture(scope="session")
def _kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    try:
        with running_cluster(tmp_path_factory.mktemp("kafka-cluster")) as cluster:
            yield cluster
    except BrokerUnavailable as reason:
        _without_a_broker(str(reason))


@pytest.fixture
def kafka_cluster(_kafka_cluster: Cluster) -> Iterator[Cluster]:
    """Three brokers, without topics and groups of ours, that the test may pause, kill, stop and start."""
    forget_everything(_kafka_cluster.address)
    yield _kafka_cluster
    _kafka_cluster.heal()


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def log_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an empty event log; a test that asks for them runs once on each kind."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("kafka_url")
    return Settings(data_dir=tmp_path / "data", event_log_url=url, append_timeout_seconds=10.0)


def _without_a_broker(reason: str) -> NoReturn:
    if os.environ.get(_REQUIRED) == "1":
        pytest.fail(f"{_REQUIRED}=1, and there is no broker: {reason}")
    pytest.skip(f"no Kafka broker: {reason}")
