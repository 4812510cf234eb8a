"""Settings: described, checked at start, and alone in reading the environment."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import NoneType
from typing import get_args

import pytest
from pydantic import ValidationError

from ingest.settings import Settings

ROOT = Path(__file__).parents[2]
FIELDS = sorted(Settings.model_fields)
UNITS = {
    *(
        "seconds",
        "hours",
        "bytes",
        "rows",
        "requests",
        "versions",
        "partitions",
        "replicas",
        "port",
        "factor",
    ),
}


def settings_with(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"ASLEEP_{name.upper()}", value)
    return Settings()


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_says_what_it_is_for(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description
    assert description.endswith(".")


def test_a_quantity_has_its_unit_in_its_name() -> None:
    quantities = [name for name in FIELDS if Settings.model_fields[name].annotation in {int, float}]
    assert "append_timeout_seconds" in quantities
    for name in quantities:
        assert UNITS & set(name.split("_")), f"{name}: of what?"


def test_everything_has_a_default_but_keys_are_never_given(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(monkeypatch)
    assert settings.api_keys == ()
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "eighty"),
        ("port", "65536"),
        ("max_body_bytes", "0"),
        ("append_timeout_seconds", "-1"),
        ("append_timeout_seconds", "2s"),
        ("kafka_partitions", "0"),
        ("land_max_rows", "1.5"),
        ("log_level", "LOUD"),
        ("event_log_url", "postgres://localhost/log"),
        ("event_log_url", "kafka://"),
        ("event_log_url", "sqlite:///"),
        ("event_log_url", "localhost:9092"),
        *[
            ("event_log_url", f"kafka://{broker}")
            for broker in (
                *("host", "host:http", "host:0", "host:99999", "a..b:9092", f"{'a' * 64}:9092", ":9092"),
                *("[::1:9092", "::1:9092", "[::1]", "[one]:9092", "one:9092,two", "one:9092,[::1:9092"),
            )
        ],
        *[
            (name, value)
            for name in FIELDS
            if Settings.model_fields[name].annotation is float
            for value in ("inf", "nan", "1e300")
        ],
        ("keep_versions", "0"),
        ("warehouse_memory_limit", "much"),
        ("dagster_port", "0"),
        ("rate_limit_per_key", "1000"),
        ("rate_limit_per_address", "0/second"),
        ("rate_limit_per_address", "10/fortnight"),
        ("signatures", "perhaps"),
        ("user_mismatch", "ignored"),
        ("max_open_requests", "0"),
        ("spool_min_free_bytes", "-1"),
    ],
)
def test_a_wrong_value_ends_the_start_and_names_itself(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValidationError) as raised:
        settings_with(monkeypatch, **{name: value})
    assert [error["loc"] for error in raised.value.errors()] == [(name,)]


@pytest.mark.parametrize("name", FIELDS)
def test_numbers_refuse_what_is_no_number(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    types = set(get_args(Settings.model_fields[name].annotation)) or {Settings.model_fields[name].annotation}
    if types - {NoneType} <= {int, float}:
        with pytest.raises(ValidationError, match=name):
            settings_with(monkeypatch, **{name: "many"})


def test_more_replicas_in_sync_than_replicas_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="ASLEEP_KAFKA_MIN_INSYNC_REPLICAS is larger"):
        settings_with(monkeypatch, kafka_min_insync_replicas="2")
    settings = settings_with(monkeypatch, kafka_min_insync_replicas="2", kafka_replication_factor="3")
    assert settings.kafka_replication_factor == 3


def test_signatures_are_not_required_without_a_secret_to_check_them_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ValidationError, match="ASLEEP_SIGNING_SECRETS names no secret"):
        settings_with(monkeypatch, signatures="required")
    assert settings_with(monkeypatch, signatures="required", signing_secrets="whsec_AAAA").signing_secrets


@pytest.mark.parametrize("half", ["tls_certificate_file", "tls_key_file"])
def test_a_certificate_and_its_key_come_together(half: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="set both ASLEEP_TLS_CERTIFICATE_FILE and ASLEEP_TLS_KEY_FILE"):
        settings_with(monkeypatch, **{half: "some.pem"})


@pytest.mark.parametrize(
    "url",
    [
        *("kafka://one:9092", "kafka://one:9092,two:9092", "kafka://[::1]:9092,10.0.0.1:1,a_b.c-d.:65535"),
        "sqlite:////srv/asleep/log.db",
    ],
)
def test_the_event_log_is_the_one_that_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_with(monkeypatch, event_log_url=url).log_url == url


def test_the_event_log_is_embedded_in_the_data_folder_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_with(monkeypatch, data_dir=str(tmp_path))
    assert settings.log_url == f"sqlite:///{tmp_path}/event_log.db"
    assert {settings.raw_dir.parent, settings.warehouse_dir.parent, settings.published_path.parent} == {
        tmp_path
    }


@pytest.mark.parametrize(
    ("text", "keys"),
    [("one", ["one"]), ("one,two", ["one", "two"]), (" one , ,two,", ["one", "two"]), (",", []), ("", [])],
)
def test_keys_are_split_on_commas(text: str, keys: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(monkeypatch, api_keys=text)
    assert [key.get_secret_value() for key in settings.api_keys] == keys


def test_an_empty_variable_is_the_same_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_with(monkeypatch, port="", users_file="") == Settings.model_construct()


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(
        monkeypatch, api_keys="key-one,key-two", signing_secrets="whsec_one", port="9000"
    )
    shown = [json.dumps(settings.masked()), str(settings), repr(settings), settings.model_dump_json()]
    assert all("key-" not in text and "whsec_" not in text for text in shown)
    assert settings.masked()["port"] == 9000
    assert settings.masked()["api_keys"] == ["**********"] * 2


def test_settings_do_not_change_once_read(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(monkeypatch)
    with pytest.raises(ValidationError, match="frozen"):
        settings.__setattr__("port", 1)


def test_a_child_process_is_handed_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = settings_with(
        monkeypatch,
        api_keys="one,two",
        signing_secrets="whsec_one,whsec_two",
        trusted_proxies="10.0.0.1,192.168.0.0/16",
        data_dir=str(tmp_path),
        land_max_age_seconds="0.5",
    )
    handed = {name: value for name, value in parent.environment().items() if name.startswith("ASLEEP_")}
    for name, value in handed.items():
        monkeypatch.setenv(name, value)
    assert Settings() == parent


def reads_of_the_environment(tree: ast.AST) -> list[int]:
    words = {"environ", "environb", "getenv"}
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in words and ast.unparse(node.value) == "os")
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and words & {n.name for n in node.names})
    ]


@pytest.mark.parametrize("package", ["ingest", "pipelines"])
def test_nothing_but_the_settings_reads_the_environment(package: str) -> None:
    readers = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / package).rglob("*.py")
        if (lines := reads_of_the_environment(ast.parse(path.read_text())))
    }
    assert set(readers) <= {"ingest/settings/__init__.py"}, readers


@pytest.mark.parametrize(
    "code", ["import os\nos.environ['A']", "import os\nos.getenv('A')", "from os import environ"]
)
def test_a_read_of_the_environment_would_be_noticed(code: str) -> None:
    assert reads_of_the_environment(ast.parse(code))
