"""Scored nights from a folder: what is read, what is derived, and what is refused by name."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.simulation.nights import ScoredNightsError, read_scored_nights
from pipelines.simulation.sleepers import ZONES
from tests.unit.simulated_nights import local

MONDAY = date(2026, 10, 19)


def write(folder: Path, name: str, **changes: Any) -> None:
    night = {
        "night_id": name,
        "epoch_sec": 30,
        "n_epochs": 23,
        "source": {"scorer": "somebody"},
        "stages": [0, 0, *[1] * 10, *[2] * 5, *[3] * 5, -1],
        "alt_stages": [0, 1, *[1] * 10, *[2] * 5, *[1] * 5, -1],
    }
    kept = {key: value for key, value in (night | changes).items() if value is not None}
    (folder / f"{name}.json").write_text(json.dumps(kept))


def test_a_night_is_read_with_its_second_reading_as_the_early_inference(tmp_path: Path) -> None:
    write(tmp_path, "first-1")
    (night,) = read_scored_nights(tmp_path, MONDAY)
    assert night.stages == (0, 0, *[1] * 10, *[2] * 5, *[3] * 5, -1)
    assert night.early_stages == (0, 1, *[1] * 10, *[2] * 5, *[1] * 5, -1)
    assert (night.snoring, night.breath, night.missing_data_ratio, night.peculiarities) == (
        None,
        None,
        None,
        (),
    )
    assert night.has_report


def test_without_a_second_reading_the_early_inference_is_right(tmp_path: Path) -> None:
    write(tmp_path, "first-1", alt_stages=None, epoch_sec=None)
    (night,) = read_scored_nights(tmp_path, MONDAY)
    assert night.early_stages == night.stages


def test_nights_are_on_days_of_their_own_in_the_order_of_their_files(tmp_path: Path) -> None:
    for name in ("c", "a", "b"):
        write(tmp_path, name)
    nights = read_scored_nights(tmp_path, MONDAY)
    evenings = [local(night.started_at, night.timezone) for night in nights]
    assert {evening.hour for evening in evenings} <= {22, 23}
    assert [evening.day for evening in evenings] == [19, 20, 21]
    assert all(night.timezone in ZONES for night in nights)
    assert len({night.user_id for night in nights}) == len({night.session_id for night in nights}) == 3


def test_the_same_night_is_the_same_session_whatever_else_is_in_the_folder(tmp_path: Path) -> None:
    write(tmp_path, "b")
    (alone,) = read_scored_nights(tmp_path, MONDAY)
    write(tmp_path, "c")
    among = read_scored_nights(tmp_path, MONDAY)[0]
    assert among == alone


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"stages": None}, r"odd\.json: stages: "),
        ({"stages": []}, r"odd\.json: stages: "),
        ({"stages": [0, 1, 4]}, r"odd\.json: stages\.2: "),
        ({"alt_stages": [0]}, "alt_stages has 1 epochs, stages has 23"),
        ({"epoch_sec": 20}, "epoch_sec is 20, only 30 can be sent"),
        ({"night_id": ""}, r"odd\.json: night_id: "),
    ],
)
def test_a_file_of_another_form_is_refused_with_its_field(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    write(tmp_path, "odd", **{"night_id": "odd"} | changes)
    with pytest.raises(ScoredNightsError, match=complaint):
        read_scored_nights(tmp_path, MONDAY)


def test_a_file_that_is_no_json_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text("{")
    with pytest.raises(ScoredNightsError, match=r"odd\.json: the whole file: "):
        read_scored_nights(tmp_path, MONDAY)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScoredNightsError, match=r"no \*\.json files there"):
        read_scored_nights(tmp_path, MONDAY)
