"""Our statistics are those of the AASM's formulas, and these are what YASA computes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.settings import Settings
from tests.builds import run_build, settings_for
from tests.raw_events import land
from tests.sql.definitions import Statistics, published_statistics
from tests.sql.hypnograms import AS_OF, ONE_BUILD_EACH, hypnograms, report, scored_hypnograms, session_rows

TO_THE_FOURTH_DECIMAL = 1.01e-4
"""Both round shares to four decimals, but not halves to the same side."""

_examples = itertools.count(1)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_for(tmp_path_factory.mktemp("yasa"))


def in_seconds(minutes: float | None) -> int | None:
    return None if minutes is None else round(60 * minutes)


def times_by_formula(found: Statistics) -> dict[str, int | None]:
    """Our durations and latencies, in seconds."""
    onset, rem = found["SOL"], found["Lat_REM"]
    return {
        "time_in_bed_seconds": in_seconds(found["TIB"]),
        # without sleep there is no period of it: ours is null, theirs 0
        "sleep_period_seconds": in_seconds(found["SPT"]) if onset is not None else None,
        # without sleep nobody woke up after it: ours is 0 as the vendor's, theirs undefined
        "waso_seconds": in_seconds(found["WASO"] or 0.0),
        "time_in_sleep_seconds": in_seconds(found["TST"]),
        "sleep_latency_seconds": in_seconds(onset),
        # ours from sleep onset, as the AASM and the vendor have it; theirs from the start of the recording
        "rem_latency_seconds": in_seconds(rem - onset if rem is not None and onset is not None else None),
        "time_in_light_seconds": in_seconds(found["LIGHT"]),
        "time_in_deep_seconds": in_seconds(found["DEEP"]),
        "time_in_rem_seconds": in_seconds(found["REM"]),
        # neither sleep nor wake, and part of the time in bed, in both
        "unknown_seconds": in_seconds(found.get("UNS", 0.0)),
    }


def shares_by_formula(found: Statistics) -> dict[str, float | None]:
    """Our shares in percent: of the time in bed, of the sleep period, and of the time asleep."""
    return {
        "sleep_efficiency_pct": found["SE"],
        "sleep_maintenance_pct": found["SME"],
        "light_pct": found["%LIGHT"],
        "deep_pct": found["%DEEP"],
        "rem_pct": found["%REM"],
    }


def awakenings_by_formula(stages: Sequence[int], found: Statistics) -> int:
    """Wake after sleep as the fragmentation index counts it, without the last, which nothing ends."""
    fragmentation, slept = found["SFI"] or 0.0, found["TST"] or 0.0
    ends_awake = stages[-1] == 0 and max(stages) > 0
    return round(fragmentation * slept / 60) - ends_awake


def prove_rows(built: Settings, told: dict[str, list[int]], users: str = "") -> None:
    columns = [*times_by_formula(published_statistics([0])), *shares_by_formula(published_statistics([0]))]
    rows = session_rows(built, [*columns, "waso_count"], users)
    assert rows.keys() == {(user, "s") for user in told}
    for user, stages in told.items():
        found, row = published_statistics(stages), rows[user, "s"]
        assert {name: row[name] for name in times_by_formula(found)} == times_by_formula(found), stages
        shares = {name: row[name] for name in shares_by_formula(found)}
        assert shares == pytest.approx(shares_by_formula(found), abs=TO_THE_FOURTH_DECIMAL), stages
        if -1 not in stages:
            # after an unknown epoch nobody can say whether a wake epoch is another awakening
            assert row["waso_count"] == awakenings_by_formula(stages, found), stages


@given(nights=st.lists(hypnograms(-1), min_size=20, max_size=60))
@ONE_BUILD_EACH
def test_statistics_of_any_hypnogram_are_those_of_the_formulas(
    warehouse: Settings, nights: list[list[int]]
) -> None:
    word = f"example-{next(_examples)}-"
    told = {f"{word}{number}": stages for number, stages in enumerate(nights)}
    land(warehouse, [report(user, stages) for user, stages in told.items()])
    run_build(warehouse, AS_OF)
    prove_rows(warehouse, told, word)


def test_statistics_of_scored_nights_are_those_of_the_formulas(warehouse: Settings) -> None:
    told = {f"scored-{user}": stages for user, stages in scored_hypnograms().items()}
    land(warehouse, [report(user, stages) for user, stages in told.items()])
    run_build(warehouse, AS_OF)
    prove_rows(warehouse, told, "scored-")


def by_yasa(stages: Sequence[int]) -> Statistics:
    """What the library makes of it; None for its NaN."""
    yasa: Any = pytest.importorskip("yasa", reason="YASA is not installed: pip install -e '.[oracles]'")
    words = ["UNS", "WAKE", "LIGHT", "DEEP", "REM"]
    night = yasa.Hypnogram([words[stage + 1] for stage in stages], freq="30s", n_stages=4)
    found = {name: float(value) for name, value in night.sleep_statistics().items()}
    return {name: None if math.isnan(value) else value for name, value in found.items()}


@given(stages=hypnograms(-1))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_formulas_are_what_yasa_computes(stages: list[int]) -> None:
    assert published_statistics(stages) == pytest.approx(by_yasa(stages), abs=TO_THE_FOURTH_DECIMAL)


def test_the_formulas_are_what_yasa_computes_of_scored_nights() -> None:
    for stages in scored_hypnograms().values():
        assert published_statistics(stages) == pytest.approx(by_yasa(stages), abs=TO_THE_FOURTH_DECIMAL)
