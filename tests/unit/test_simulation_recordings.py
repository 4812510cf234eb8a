"""Simulated sleepers and what they record: plausible nights, odd ones among them, the same each time."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest

from pipelines.simulation.hypnogram import draw_flags, draw_stages, lose, misread, seeded
from pipelines.simulation.night import DEEP, LIGHT, REM, UNKNOWN, WAKE, Night
from pipelines.simulation.recordings import simulated_nights
from pipelines.simulation.sleepers import USERS_FILE_COLUMNS, ZONES, population, write_users_csv
from pipelines.simulation.vendor_stat import vendor_stat
from tests.unit.simulated_nights import local

FIRST_DAY = date(2026, 10, 19)


@cache
def two_weeks() -> list[Night]:
    return list(simulated_nights(population(1, 40), FIRST_DAY, 14))


def ordinary() -> list[Night]:
    """Full nights with a report and nothing lost."""
    return [night for night in two_weeks() if len(night.stages) >= 660 and UNKNOWN not in night.stages]


def share(night: Night, stage: int) -> float:
    return night.stages.count(stage) / sum(value > WAKE for value in night.stages)


def test_nights_look_like_nights() -> None:
    stats = [stat for night in ordinary() if (stat := vendor_stat(night))]
    assert 0.45 < mean(share(night, LIGHT) for night in ordinary()) < 0.65
    assert 0.13 < mean(share(night, DEEP) for night in ordinary()) < 0.25
    assert 0.15 < mean(share(night, REM) for night in ordinary()) < 0.27
    assert 0.8 < mean(stat.sleep_efficiency for stat in stats) < 0.95
    assert 300 < mean(stat.sleep_latency for stat in stats) < 1800
    assert 3 < mean(stat.sleep_cycle_count for stat in stats) < 5.5
    assert 3 < mean(stat.waso_count for stat in stats) < 15


def test_deep_sleep_comes_early_and_rem_late() -> None:
    halves = [(night.stages[: len(night.stages) // 2], night.stages) for night in ordinary()]
    assert mean(first.count(DEEP) / max(1, whole.count(DEEP)) for first, whole in halves) > 0.65
    assert mean(first.count(REM) / max(1, whole.count(REM)) for first, whole in halves) < 0.45


def test_the_early_inference_is_wrong_now_and_then() -> None:
    wrong = [
        sum(a != b for a, b in zip(night.stages, night.early_stages, strict=True)) / len(night.stages)
        for night in ordinary()
    ]
    assert 0.04 < mean(wrong) < 0.16


def test_nights_last_five_and_a_half_to_nine_and_a_half_hours() -> None:
    hours = [len(night.stages) / 120 for night in ordinary()]
    assert min(hours) >= 5.5
    assert max(hours) <= 9.5
    assert len({len(night.stages) % 10 for night in ordinary()}) == 10


def test_odd_nights_are_among_them() -> None:
    kinds = Counter(peculiarity for night in two_weeks() for peculiarity in night.peculiarities)
    assert set(kinds) == {
        "NEVER_SLEPT",
        "TOO_SHORT_FOR_ANALYSIS",
        "TOO_MANY_DEFECTS_IN_SLEEP_STAGES",
    }
    assert kinds.total() < 40
    naps = sum(10 < local(night.started_at, night.timezone).hour < 17 for night in two_weeks())
    abandoned = sum(not night.has_report for night in two_weeks())
    with_losses = sum(UNKNOWN in night.stages for night in two_weeks())
    assert 10 < naps < 80
    assert 2 < abandoned < 25
    assert 20 < with_losses < 100
    assert len(two_weeks()) < 40 * 14 + naps, "everybody recorded every night"


def test_a_peculiarity_says_what_the_stages_say() -> None:
    for night in two_weeks():
        slept = any(stage > WAKE for stage in night.stages)
        assert ("TOO_SHORT_FOR_ANALYSIS" in night.peculiarities) == (len(night.stages) < 10)
        assert "NEVER_SLEPT" not in night.peculiarities or not slept
        assert slept or night.peculiarities
        assert night.missing_data_ratio == round(night.stages.count(UNKNOWN) / len(night.stages), 2)


def test_nobody_sleeps_twice_at_once_and_nights_come_ordered_by_start() -> None:
    starts = [night.started_at for night in two_weeks()]
    assert starts == sorted(starts)
    for user in {night.user_id for night in two_weeks()}:
        mine = [night for night in two_weeks() if night.user_id == user]
        assert all(earlier.ended_at <= later.started_at for earlier, later in pairwise(mine))


def test_bedtimes_are_local() -> None:
    for zone in ZONES:
        hours = [
            (local(night.started_at, zone).hour + 12) % 24
            for night in two_weeks()
            if night.timezone == zone and len(night.stages) > 250
        ]
        assert len(hours) > 30
        assert 9 < mean(hours) < 14, zone


def test_some_nights_contain_a_change_of_the_clocks() -> None:
    def length_on_the_wall(night: Night) -> timedelta:
        return local(night.ended_at, night.timezone) - local(night.started_at, night.timezone)

    changed = {
        night.timezone
        for night in two_weeks()
        if length_on_the_wall(night) != night.ended_at - night.started_at
    }
    assert changed == {"Europe/Berlin", "America/New_York"}


def test_the_same_arguments_give_the_same_nights() -> None:
    assert list(simulated_nights(population(1, 40), FIRST_DAY, 14)) == two_weeks()
    assert {night.session_id for night in simulated_nights(population(2, 3), FIRST_DAY, 3)}.isdisjoint(
        {night.session_id for night in two_weeks() if "_" not in night.session_id}
    )


def test_more_users_and_other_days_do_not_change_a_night() -> None:
    known = {(night.user_id, night.session_id): night for night in two_weeks()}
    fewer = list(simulated_nights(population(1, 5), FIRST_DAY + timedelta(days=4), 3))
    assert len(fewer) > 10
    assert all(known[night.user_id, night.session_id] == night for night in fewer)


def test_session_ids_are_unique_within_a_user_and_shared_between_some() -> None:
    keys = Counter((night.user_id, night.session_id) for night in two_weeks())
    assert set(keys.values()) == {1}
    users_of_session = Counter(session for _, session in keys)
    assert 1 < max(users_of_session.values()) <= 7


def test_some_apps_send_no_snoring_and_some_no_breath() -> None:
    for name in ("snoring", "breath"):
        without = {night.user_id for night in two_weeks() if getattr(night, name) is None}
        assert 0 < len(without) < 40


def test_the_users_file_lacks_two_of_forty(tmp_path: Path) -> None:
    sleepers = population(1, 40)
    path = tmp_path / "new folder" / "users.csv"
    assert write_users_csv(sleepers, path) == 38
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == USERS_FILE_COLUMNS
    assert len({sleeper.user_id for sleeper in sleepers} - {row["user_id"] for row in rows}) == 2
    assert {row["timezone"] for row in rows} == set(ZONES)
    assert all(date.fromisoformat(row["signup_date"]) < FIRST_DAY for row in rows)
    assert "" in {row["birth_year"] for row in rows}
    assert "" in {row["gender"] for row in rows}
    assert all(1940 < int(row["birth_year"]) < 2010 for row in rows if row["birth_year"])


@pytest.mark.parametrize(("epochs", "latency", "final_wake"), [(5, 10, 0), (20, 10, 10), (20, 0, 25)])
def test_without_room_for_sleep_there_is_none(epochs: int, latency: int, final_wake: int) -> None:
    assert draw_stages(seeded("x"), epochs, latency=latency, final_wake=final_wake) == [WAKE] * epochs


def test_a_night_begins_and_ends_awake_as_asked() -> None:
    stages = draw_stages(seeded("x"), 900, latency=31, final_wake=17)
    assert len(stages) == 900
    assert stages[:31] == [WAKE] * 31
    assert stages[31] == LIGHT
    assert stages[-17:] == [WAKE] * 17


def test_losing_epochs_makes_one_unknown_run_and_keeps_the_rest() -> None:
    stages = [LIGHT] * 100
    lost = lose(seeded("x"), stages, 0.3)
    assert len(lost) == 100
    assert lost.count(UNKNOWN) == 30
    assert lost[lost.index(UNKNOWN) :][:30] == [UNKNOWN] * 30


def test_misreading_keeps_the_length() -> None:
    stages = tuple(draw_stages(seeded("x"), 500, latency=5, final_wake=5))
    early = misread(seeded("y"), stages)
    assert len(early) == 500
    assert early != stages
    assert set(early) <= {UNKNOWN, WAKE, LIGHT, DEEP, REM}


def test_flags_cover_about_the_share_asked_for() -> None:
    flags = draw_flags(seeded("x"), 20_000, share=0.3, mean_run=6)
    assert len(flags) == 20_000
    assert set(flags) == {0, 1}
    assert 0.2 < mean(flags) < 0.4


def test_words_decide_the_numbers() -> None:
    assert seeded("a", 1).random() == seeded("a", 1).random()
    assert seeded("a", 1).random() != seeded("a", 2).random()


def test_starts_are_instants_in_utc() -> None:
    assert {night.started_at.tzinfo for night in two_weeks()} == {UTC}
    assert min(night.started_at for night in two_weeks()) > datetime(2026, 10, 19, tzinfo=UTC)
