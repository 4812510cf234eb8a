"""The shapes of each dialect's events, restated field by field."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.simulation.calls import Call, Kind
from pipelines.simulation.dialects import Dialect, calls_of
from tests.unit.simulated_nights import data, message, plain_night


def names(text: str) -> set[str]:
    """Field names, from a line of them."""
    return set(text.split())


LIVE_STAT = names(
    "sleep_time wake_time sleep_index sleep_latency wakeup_latency light_latency "
    "deep_latency rem_latency time_in_bed time_in_sleep_period time_in_sleep "
    "time_in_wake time_in_light time_in_deep time_in_rem time_in_stable_breath "
    "time_in_unstable_breath time_in_snoring time_in_no_snoring sleep_efficiency "
    "sleep_ratio wake_ratio light_ratio deep_ratio rem_ratio stable_breath_ratio "
    "unstable_breath_ratio snoring_ratio no_snoring_ratio breathing_index "
    "breathing_pattern waso_count longest_waso sleep_cycle_count sleep_cycle "
    "sleep_cycle_time unstable_breath_count snoring_count"
)
REFERENCE_STAT = names(
    "sleep_time sleep_index sleep_latency time_in_bed time_in_sleep time_in_light "
    "time_in_deep time_in_rem sleep_efficiency waso_count longest_waso sleep_cycle"
)
FLAT_WINDOW = names(
    "event version timestamp user_id session_id seq_num inference_seq_num "
    "sleep_stages breath_stages snoring_stages time_window"
)


def window_and_report(dialect: Dialect, **options: Any) -> tuple[Call, Call]:
    calls = calls_of(plain_night(), dialect, **options)
    assert calls[0].kind is Kind.WINDOW
    assert calls[-1].kind is Kind.REPORT
    return calls[0], calls[-1]


def test_flat_is_the_reference() -> None:
    window, report = (message(call) for call in window_and_report(Dialect.FLAT))
    assert set(window) == FLAT_WINDOW
    assert (window["event"], window["version"]) == ("INFERENCE_COMPLETE", "V3")
    assert set(window["time_window"]) == {"start", "end"}
    assert (window["seq_num"], window["inference_seq_num"]) == (9, 0)
    assert window["breath_stages"] == [1] * 10
    assert set(report) == names("event version timestamp user_id session_id session stat peculiarities")
    assert set(report["session"]) == names(
        "id state start_time end_time timezone sleep_stages snoring_stages"
    )
    assert report["session"]["id"] == report["session_id"] == "session 9"
    assert (report["session"]["state"], report["session"]["timezone"]) == ("COMPLETE", "Asia/Seoul")
    assert set(report["stat"]) == REFERENCE_STAT
    assert report["peculiarities"] == []


def test_partial_leaves_the_user_to_the_header_and_the_place_to_the_time_window() -> None:
    calls = window_and_report(Dialect.PARTIAL)
    window, report = (message(call) for call in calls)
    assert set(window) == names(
        "event version session_id sleep_stages breath_stages snoring_stages time_window"
    )
    assert set(report) == {"event", "version", "session_id", "stat"}
    assert report["stat"] == {"sleep_time": "00:47:00", "sleep_efficiency": 98.95}
    assert [call.headers["x-user-id"] for call in calls] == ["user 7", "user 7"]


def test_partial_leaves_out_an_array_that_it_has_not() -> None:
    window = message(calls_of(plain_night(snoring=None, breath=None), Dialect.PARTIAL)[0])
    assert set(window) == {"event", "version", "session_id", "sleep_stages", "time_window"}


def test_nested_is_the_live_service() -> None:
    window, report = (message(call) for call in window_and_report(Dialect.NESTED))
    assert set(window) == set(report) == {"event", "version", "data"}
    assert set(window["data"]) == names(
        "user_id session_id seq_num inference_seq_num sleep_stages breath_stages snoring_stages"
    )
    assert window["data"]["breath_stages"] is None
    night = report["data"]
    assert set(night) == names("timezone peculiarities missing_data_ratio user_id session stat")
    assert night["timezone"] == "UTC"
    assert set(night["session"]) == names(
        "id state start_time end_time unexpected_end_time created_timezone sleep_stages "
        "breath_stages snoring_stages"
    )
    assert night["session"]["created_timezone"] == "Asia/Seoul"
    assert (night["session"]["unexpected_end_time"], night["session"]["breath_stages"]) == (None, None)
    assert set(night["stat"]) == LIVE_STAT


def test_version_2_is_the_nested_body_under_the_old_names() -> None:
    window, report = (message(call) for call in window_and_report(Dialect.V2))
    assert set(window) == set(report) == {"callback_event", "callback_version", "callback_data"}
    assert (report["callback_event"], report["callback_version"]) == ("SESSION_COMPLETE", "V2")
    assert set(window["callback_data"]) == names(
        "user_id session_id seq_num inference_seq_num stage_list breath_stages snoring_stages"
    )
    assert "session_id" not in report["callback_data"]
    assert "stage_list" in report["callback_data"]["session"]
    assert "sleep_stages" not in report["callback_data"]["session"]
    assert set(report["callback_data"]["stat"]) == LIVE_STAT


def test_version_1_has_osa_stages_and_a_validity() -> None:
    window, report = (message(call) for call in window_and_report(Dialect.V1))
    assert window["callback_version"] == report["callback_version"] == "V1"
    assert set(window["callback_data"]) == names(
        "user_id session_id seq_num inference_seq_num stage_list osa_stages snoring_stages"
    )
    assert window["callback_data"]["osa_stages"] == [1] * 10
    night = report["callback_data"]
    assert set(night) == names("timezone validity user_id session_id session stat")
    assert night["validity"] == "VALID"
    assert set(night["session"]) == names(
        "id state session_start_time session_end_time stage_list osa_stages snoring_stages"
    )
    assert set(night["stat"]) == LIVE_STAT
    assert night["stat"]["time_in_unstable_breath"] == 30 * 94


def test_version_1_has_no_statistics_unless_the_night_is_valid() -> None:
    defects = "TOO_MANY_DEFECTS_IN_SLEEP_STAGES"
    night = data(calls_of(plain_night(peculiarities=(defects,)), Dialect.V1)[-1])
    assert (night["validity"], night["stat"]) == (defects, None)


@pytest.mark.parametrize("dialect", Dialect)
def test_peculiarities_and_missing_statistics_are_written_as_null_or_named(dialect: Dialect) -> None:
    night = plain_night(5, peculiarities=("TOO_SHORT_FOR_ANALYSIS",), missing_data_ratio=0.25)
    report = data(calls_of(night, dialect)[-1])
    if dialect is Dialect.PARTIAL:
        assert report["stat"] == {"sleep_time": None, "sleep_efficiency": None}
        return
    assert report["stat"] is None
    said = [report["validity"]] if dialect is Dialect.V1 else report["peculiarities"]
    assert said == ["TOO_SHORT_FOR_ANALYSIS"]
    if dialect in {Dialect.NESTED, Dialect.V2}:
        assert report["missing_data_ratio"] == 0.25
