"""The compose file and the image, held against the code: no Docker engine is needed."""

from __future__ import annotations

import re
import shlex
import subprocess
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest.settings import Settings
from tests.unit.command_lines import accept

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
FROM_THE_HOST = {"ASLEEP_API_KEYS": "key-one, key-two"}


def interpolated(text: str) -> str:
    """`text` with `${NAME}`, `${NAME:-default}` and `${NAME:?message}` as compose fills them in."""

    def value(match: re.Match[str]) -> str:
        name, operator, word = match["name"], match["operator"], match["word"]
        if operator == ":?" and name not in FROM_THE_HOST:
            pytest.fail(f"{name} is required and this test gives it no value")
        return FROM_THE_HOST.get(name, word if operator == ":-" else "")

    return re.sub(r"\$\{(?P<name>\w+)(?P<operator>:[-?])?(?P<word>[^}]*)\}", value, text)


def environment(service: str) -> dict[str, str]:
    return {name: interpolated(value) for name, value in SERVICES[service].get("environment", {}).items()}


def settings_of(service: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in (image_environment() | environment(service)).items():
        monkeypatch.setenv(name, value)
    return Settings()


def image_steps() -> list[tuple[str, str]]:
    lines = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line and line[0] not in "# "]


def image_environment() -> dict[str, str]:
    words = [word for step, text in image_steps() if step == "ENV" for word in shlex.split(text)]
    return {name: value for name, _, value in (word.partition("=") for word in words)}


@pytest.mark.parametrize("service", OURS)
@pytest.mark.parametrize("key", ["command", "healthcheck"])
def test_the_command_lines_are_ones_that_the_programs_accept(service: str, key: str) -> None:
    words = SERVICES[service][key]
    if key == "healthcheck":
        kind, *words = words["test"]
        assert kind == "CMD"
    assert words[0] in entry_points(group="console_scripts").names
    accept(words)


def test_a_misspelt_verb_or_option_would_be_noticed() -> None:
    with pytest.raises(KeyError):
        accept(["asleep", "recieve"])
    with pytest.raises(Exception, match="No such option"):
        accept(["dagster-webserver", "--prot", "3000"])


@pytest.mark.parametrize("service", OURS)
def test_every_setting_is_one_of_ours_and_valid(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {name for name in image_environment() | environment(service) if name.startswith("ASLEEP_")}
    assert ours <= {f"ASLEEP_{name.upper()}" for name in Settings.model_fields}
    settings = settings_of(service, monkeypatch)
    assert settings.log_url == "kafka://kafka:9092"


def test_nothing_is_received_without_keys_from_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SERVICES["receiver"]["environment"]["ASLEEP_API_KEYS"].startswith("${ASLEEP_API_KEYS:?")
    keys = settings_of("receiver", monkeypatch).api_keys
    assert [key.get_secret_value() for key in keys] == ["key-one", "key-two"]
    for other in set(SERVICES) - {"receiver"}:
        assert "ASLEEP_API_KEYS" not in environment(other)


def test_the_published_ports_are_the_ones_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = settings_of("receiver", monkeypatch)
    default_port = Settings.model_fields["port"].default
    assert (receiver.host, receiver.port) == ("0.0.0.0", default_port)
    assert SERVICES["receiver"]["ports"] == [f"{default_port}:{default_port}"]

    dagster_port = Settings.model_fields["dagster_port"].default
    command = SERVICES["dagster-webserver"]["command"]
    assert command[command.index("--port") + 1] == str(dagster_port)
    assert settings_of("dagster-webserver", monkeypatch).dagster_port == dagster_port
    assert SERVICES["dagster-webserver"]["ports"] == [f"127.0.0.1:{dagster_port}:{dagster_port}"]


def test_the_landers_pages_are_asked_where_it_listens_and_reached_from_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lander = settings_of("lander", monkeypatch)
    default_port = Settings.model_fields["lander_port"].default
    assert (lander.lander_host, lander.lander_port) == ("0.0.0.0", default_port)
    assert SERVICES["lander"]["healthcheck"]["test"] == ["CMD", "asleep", "health", "lander"]
    assert "ports" not in SERVICES["lander"]


def test_every_service_is_watched_and_comes_back() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"], name


def test_services_wait_for_services_that_exist_to_be_well() -> None:
    for service in SERVICES.values():
        for other, wait in service.get("depends_on", {}).items():
            assert other in SERVICES
            assert wait == {"condition": "service_healthy"}
    assert "kafka" in SERVICES["lander"]["depends_on"]
    # It takes events through its spool before Kafka is there.
    assert "depends_on" not in SERVICES["receiver"]


@pytest.mark.parametrize("service", ["receiver", "lander", "dagster-webserver", "dagster-daemon"])
def test_the_data_volume_is_where_our_data_is(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir = settings_of(service, monkeypatch).data_dir
    assert SERVICES[service]["volumes"] == [f"data:{data_dir}"]
    assert data_dir.is_absolute()
    assert "data" in COMPOSE["volumes"]


def test_dagster_finds_its_instance_file_and_keeps_its_storage_on_the_data_volume() -> None:
    home = image_environment()["DAGSTER_HOME"]
    assert ("WORKDIR", home) in image_steps()
    copies = [text.split() for step, text in image_steps() if step == "COPY"]
    assert [words[-1] for words in copies if "dagster.yaml" in words] == ["./"]
    base_dir = yaml.safe_load((ROOT / "dagster.yaml").read_text())["storage"]["sqlite"]["base_dir"]
    assert Path(home, base_dir) == Path(image_environment()["ASLEEP_DATA_DIR"], "dagster")


def test_the_broker_is_the_one_that_the_tests_run_on() -> None:
    image, _, tag = SERVICES["kafka"]["image"].partition(":")
    assert image == "apache/kafka"
    pom = (ROOT / "tests/kafka/pom.xml").read_text()
    tested = re.search(r"<artifactId>kafka_2.13</artifactId>\s*<version>([^<]+)</version>", pom)
    assert tested, "tests/kafka/pom.xml names no Kafka version"
    assert tag == tested[1]
    kafka = environment("kafka")
    assert kafka["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert kafka["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://kafka:9092"
    assert SERVICES["kafka"]["hostname"] == "kafka"


def test_the_brokers_log_is_on_its_volume() -> None:
    assert SERVICES["kafka"]["volumes"] == [f"kafka:{environment('kafka')['KAFKA_LOG_DIRS']}"]
    assert "kafka" in COMPOSE["volumes"]


def test_a_new_kafka_volume_gets_an_id_of_its_own_and_a_used_one_keeps_it(tmp_path: Path) -> None:
    assert "CLUSTER_ID" not in environment("kafka")
    shell, option, script = SERVICES["kafka"]["command"]
    for there, here, content in (
        ("/opt/kafka/bin/kafka-storage.sh", "storage", "echo a-random-id"),
        ("/etc/kafka/docker/run", "run", "echo started with $CLUSTER_ID"),
    ):
        (tmp_path / here).write_text(f"#!/bin/sh\n{content}\n")
        (tmp_path / here).chmod(0o755)
        script = script.replace(there, str(tmp_path / here))
    script = script.replace("$$", "$").replace(environment("kafka")["KAFKA_LOG_DIRS"], str(tmp_path))

    def started() -> str:
        return subprocess.run([shell, option, script], check=True, capture_output=True, text=True).stdout

    assert started() == "started with a-random-id\n"
    (tmp_path / "meta.properties").write_text("#\nversion=1\ncluster.id=kept-id\nnode.id=1\n")
    assert started() == "started with kept-id\n"


def test_the_image_holds_what_the_package_needs_and_ends_as_an_ordinary_user() -> None:
    steps = image_steps()
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {name for step, text in steps if step == "COPY" for name in text.split()[:-1]}
    assert copied == allowed
    assert {"ingest", "pipelines", "sql", "constraints.txt"} <= copied
    assert all((ROOT / name).exists() for name in copied)
    assert "-c constraints.txt" in next(text for step, text in steps if step == "RUN")
    users = [text for step, text in steps if step == "USER"]
    assert users == ["asleep"]
    assert [step for step, _ in steps][-2:] == ["USER", "CMD"]
