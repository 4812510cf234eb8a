"""README.md and docs/tables.md, held against the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import SecretStr

from ingest.receiver import create_app
from ingest.settings import Settings
from pipelines.cli import app
from pipelines.documentation import tables_page
from pipelines.models import Layer, load_models
from tests.unit.memory_log import MemoryLog

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()
VERBS: dict[str, Any] = vars(typer.main.get_command(app))["commands"]


def table_rows(heading: str) -> list[list[str]]:
    """The rows of the README's table whose first column has this heading."""
    lines = README.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |")) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_every_verb_is_in_the_table_of_commands_and_no_other() -> None:
    told = {row[0] for row in table_rows("command")}
    assert told == {f"`asleep {verb}`" for verb in VERBS}


def test_every_option_that_the_table_of_commands_names_is_one_of_its_verb() -> None:
    for command, does in table_rows("command"):
        verb = VERBS[command.strip("`").removeprefix("asleep ")]
        known = {option for parameter in verb.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", does)) <= known, command


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example_and_each_option_has_help(verb: str) -> None:
    command = VERBS[verb]
    assert f"asleep {verb}" in re.sub(r"\s+", " ", command.help or "").partition("Example: ")[2]
    assert all(parameter.help for parameter in command.params if parameter.name != "help")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    settings = {f"ASLEEP_{name.upper()}" for name in Settings.model_fields}
    settings |= {"ASLEEP_TEST_KAFKA", "ASLEEP_REQUIRE_KAFKA"}
    named = set(re.findall(r"ASLEEP_[A-Z0-9_]*[A-Z0-9]", page.read_text()))
    assert named <= settings


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


def test_the_routes_are_those_of_the_receiver(settings: Settings) -> None:
    told = set(re.findall(r"`(GET|POST) (/[a-z-]+)`", README))
    paths = create_app(settings, MemoryLog()).openapi()["paths"]
    real = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert told == real | {("GET", "/docs")}


def test_the_statuses_of_the_webhook_are_those_of_the_receiver(settings: Settings) -> None:
    row = next(row for row in table_rows("route") if "/webhook" in row[0])
    told = set(re.findall(r"\b[2-5]\d\d\b", row[1]))
    assert told == set(create_app(settings, MemoryLog()).openapi()["paths"]["/webhook"]["post"]["responses"])


def test_the_tables_are_those_of_the_marts() -> None:
    told = {name for row in table_rows("table") for name in re.findall(r"`(\w+)`", row[0])}
    marts = {model.name for model in load_models() if model.layer is Layer.MARTS}
    assert told == marts | {"build_info", "loaded_offsets", "raw_files"}


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"\bmake ([a-z]+)\b(?=[`\n])", page.read_text())) <= targets, page


def test_the_page_of_tables_is_what_the_models_say() -> None:
    assert (ROOT / "docs" / "tables.md").read_text() == tables_page(), "write it anew: make docs"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, api_keys=(SecretStr("key"),))
