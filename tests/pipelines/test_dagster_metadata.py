"""What Dagster shows of tables and checks, made without a run."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import dagster as dg
import pytest

from pipelines.checks import newest_event_result
from pipelines.hypnogram import hypnogram_svg
from pipelines.inspection import NewestNight, Sample
from pipelines.table_metadata import picture, preview

MIDNIGHT = datetime(2026, 1, 6)  # noqa: DTZ001  wall-clock time
SVG = "{http://www.w3.org/2000/svg}"


def test_a_narrow_table_is_shown_as_it_is() -> None:
    assert preview(Sample(["user", "nights"], [("ada", 2), ("ben", None)])) == (
        "| user | nights |\n| --- | --- |\n| ada | 2 |\n| ben |  |"
    )


def test_a_wide_table_lies_on_its_side() -> None:
    columns = [f"c{number}" for number in range(12)]
    lines = preview(Sample(columns, [tuple(range(12)), tuple(range(12, 24))])).splitlines()
    assert lines[0] == "| column | row 1 | row 2 |"
    assert lines[2] == "| c0 | 0 | 12 |"
    assert len(lines) == 14


def test_a_table_without_rows_says_so() -> None:
    assert preview(Sample(["user"], [])) == "no rows"


def test_what_callers_sent_can_not_act_as_markdown() -> None:
    hostile = "![x](http://example.org/a.png) <img src=x> | `code`\n\n# head"
    shown = preview(Sample(["body"], [(hostile,), ("x" * 10_000,)]))
    assert len(shown.splitlines()) == 4
    assert not re.search(r"(?<!\\)[\[\]()<>`#:]", shown.splitlines()[2])
    assert shown.splitlines()[2].count("|") - shown.splitlines()[2].count("\\|") == 2
    assert len(shown.splitlines()[3]) < 60


def shapes(stages: list[int], started_local: datetime = MIDNIGHT) -> ET.Element:
    return ET.fromstring(hypnogram_svg(stages, started_local))  # noqa: S314  our own text


def labels(image: ET.Element) -> list[str | None]:
    return [text.text for text in image.iter(f"{SVG}text")]


def test_a_hypnogram_has_a_bar_for_each_run_of_a_stage() -> None:
    bars = list(shapes([0] * 10 + [1] * 20 + [2] * 30 + [3] * 40 + [0] * 20).iter(f"{SVG}rect"))
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert [round(width / widths[0]) for width in widths] == [1, 2, 3, 4, 2]
    heights = [float(bar.attrib["y"]) for bar in bars]
    wake, light, deep, rem, _ = heights
    assert wake < rem < light < deep
    assert heights[4] == wake


def test_a_hypnogram_names_stages_and_full_hours() -> None:
    image = shapes([1] * 240, MIDNIGHT - timedelta(minutes=30))
    assert labels(image) == ["wake", "REM", "light", "deep", "00:00", "01:00"]


def test_a_hypnogram_has_a_lane_for_unknown_epochs_only_where_there_are_some() -> None:
    assert "unknown" in labels(shapes([-1, 1]))
    assert "unknown" not in labels(shapes([1]))


def test_a_picture_carries_its_own_image() -> None:
    night = NewestNight("a-1", MIDNIGHT.date(), MIDNIGHT, "Europe/Berlin", [1] * 240)
    shown = picture(night)
    assert "night of 2026-01-06, 2.0 h in Europe/Berlin" in shown
    encoded = shown.split("base64,")[1].rstrip(")")
    assert ET.fromstring(base64.b64decode(encoded)).tag == f"{SVG}svg"  # noqa: S314  our own text


@pytest.mark.parametrize(
    ("age", "passed", "words"),
    [
        (timedelta(minutes=-3), True, "0 minutes"),
        (timedelta(minutes=90), True, "90 minutes"),
        (timedelta(hours=24), True, "24 hours"),
        (timedelta(hours=25), False, "25 hours"),
    ],
)
def test_events_that_stopped_coming_are_noticed(age: timedelta, passed: bool, words: str) -> None:
    as_of = datetime(2026, 1, 8, tzinfo=UTC)
    result = newest_event_result(as_of - age, as_of)
    assert result.passed is passed
    assert words in (result.description or "")
    assert result.severity is dg.AssetCheckSeverity.WARN
