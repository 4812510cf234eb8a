"""The pages in docs/, held against the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from ingest.documentation import settings_page
from ingest.records import Reason
from tests.unit.command_lines import accept

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "tests" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def fenced(page: Path, language: str) -> list[str]:
    """The code blocks of a page in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def test_the_page_of_settings_is_what_the_settings_say() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_page(), "write it anew: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_ours_that_a_page_shows_is_accepted(page: Path) -> None:
    for line in "".join(fenced(page, "sh")).splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0] == "asleep":
            accept(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_of_a_payload_or_a_file_is_well_formed(page: Path) -> None:
    for text in fenced(page, "json") + fenced(page, "yaml"):
        assert isinstance(yaml.safe_load(text), dict)


def test_the_page_of_dialects_tells_every_reason_why_a_body_is_no_row() -> None:
    page = (ROOT / "docs" / "dialects.md").read_text()
    told = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", page.partition("## When a body cannot be a row")[2]))
    sql = "".join(path.read_text() for path in (ROOT / "sql").rglob("*.sql"))
    given = {reason for reason in Reason if re.search(rf"'{reason}'", sql)}
    assert given
    assert given <= told
    assert told - {"quarantined_events", "is_partial"} <= set(Reason)


def test_our_pages_are_about_the_product_and_no_one_machine() -> None:
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(work|root|home|tmp)/", page.read_text()), page.name
