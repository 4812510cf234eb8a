"""docs/webhook.md, held against the code: every answer, every limit, the signature."""

from __future__ import annotations

import json
import re
import runpy
import time
from pathlib import Path
from typing import Any

import pytest

from ingest.openapi.replies import is_worth_a_retry
from ingest.receiver import create_app
from ingest.refusals import REFUSALS, Refusal
from ingest.settings import Settings
from ingest.signatures import Signatures
from tests.unit.asgi_calls import receiver_settings
from tests.unit.memory_log import MemoryLog

PAGE = (Path(__file__).parents[2] / "docs" / "webhook.md").read_text(encoding="utf-8")
SECRET = "whsec_dGhlIHNlY3JldCBvZiB0aGVzZSB0ZXN0cywgbG9uZyBlbm91Z2g="
WORDS = {
    "1 MiB": 1024**2,
    "16 KiB": 16 * 1024,
    "10 seconds": 10.0,
    "300 seconds": 300,
    "2,000": 2000,
    "no limit": "",
}


def table(heading: str) -> list[list[str]]:
    """The cells of the table that is the first after this heading."""
    rows = re.findall(r"^\|(.*)\|$", PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0], re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in rows[2:]]


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_table_of_answers_is_the_table_of_refusals_in_order_of_status() -> None:
    told = [(int(status), error.strip("`")) for status, error, _, _ in table("Every other answer")]
    assert set(told) == {(refusal.status, reason) for reason, refusal in REFUSALS.items()}
    assert len(told) == len(REFUSALS)
    assert [status for status, _ in told] == sorted(status for status, _ in told)


@pytest.mark.parametrize("row", table("Every other answer"), ids=lambda row: row[1].strip("`"))
def test_an_answer_says_whether_to_send_again_and_when(row: list[str]) -> None:
    _, error, _, again = row
    refusal: Refusal = next(refusal for reason, refusal in REFUSALS.items() if reason == error.strip("`"))
    assert again.startswith("yes") == is_worth_a_retry(refusal.status)
    assert ("Retry-After" in again) == (refusal.retry_after_seconds is not None)


def test_the_examples_of_answers_are_what_is_answered() -> None:
    received, refused = map(json.loads, fenced("json"))
    assert received.keys() == {"status", "receipt_id"}
    assert refused["error"] in REFUSALS
    assert refused["message"] == REFUSALS[refused["error"]].message


@pytest.mark.parametrize("row", table("Limits"), ids=lambda row: row[2].strip("`"))
def test_a_limit_is_the_default_of_its_setting(row: list[str]) -> None:
    _, default, setting = row
    name = setting.strip("`").removeprefix("ASLEEP_").lower()
    assert Settings.model_fields[name].default == WORDS[default]


def test_the_headers_are_those_of_the_description() -> None:
    told = {name for row in table("A call") for name in re.findall(r"`([a-z-]+)`", row[0])}
    described: dict[str, Any] = create_app(receiver_settings(), MemoryLog()).openapi()
    operation = described["paths"]["/webhook"]["post"]
    read = {header["name"] for header in operation["parameters"]} | {"x-api-key"}
    assert told == read | {"content-type"}


def test_a_call_signed_as_the_page_shows_is_accepted(tmp_path: Path) -> None:
    program = tmp_path / "sender.py"
    program.write_text("".join(fenced("python")), encoding="utf-8")
    sign = runpy.run_path(str(program))["signature_headers"]
    headers = {name.encode(): value.encode() for name, value in sign(SECRET, "msg_1", b"{}").items()}
    signatures = Signatures(receiver_settings(signing_secrets=SECRET, signatures="required"))
    assert signatures.judge(headers, b"{}", time.time()) == b"valid"
    assert signatures.judge(headers, b"{ }", time.time()) == "wrong_signature"
