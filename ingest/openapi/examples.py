"""One short night, told in every dialect: a window of its second half, and its final report."""

from __future__ import annotations

from typing import Any, Final

_STAGES: Final = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 1, 3, 3, 3, 1, 0]
_SNORING: Final = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
_BREATH: Final = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
_WINDOW: Final = _STAGES[10:]
_WHOSE: Final = {"user_id": "user-1", "session_id": "session-1"}
_NUMBERS: Final = {"seq_num": 19, "inference_seq_num": 1}

_COMMON_STAT: Final = {
    "sleep_index": 36,
    "sleep_latency": 120,
    "time_in_bed": 600,
    "time_in_sleep": 420,
    "time_in_light": 180,
    "time_in_deep": 150,
    "time_in_rem": 90,
    "waso_count": 1,
    "longest_waso": 30,
}
_FLAT_STAT: Final = {**_COMMON_STAT, "sleep_time": "00:07:00", "sleep_efficiency": 70.0, "sleep_cycle": []}
_NESTED_STAT: Final[dict[str, Any]] = {
    **_COMMON_STAT,
    "sleep_time": "2026-03-01T14:02:00+00:00",
    "wake_time": "2026-03-01T14:09:30+00:00",
    "wakeup_latency": 30,
    "light_latency": 0,
    "deep_latency": 120,
    "rem_latency": 330,
    "time_in_sleep_period": 450,
    "time_in_wake": 30,
    "time_in_snoring": 120,
    "time_in_no_snoring": 330,
    "time_in_stable_breath": None,
    "time_in_unstable_breath": None,
    "sleep_efficiency": 0.7,
    "sleep_ratio": 0.93,
    "wake_ratio": 0.07,
    "light_ratio": 0.4,
    "deep_ratio": 0.33,
    "rem_ratio": 0.2,
    "snoring_ratio": 0.27,
    "no_snoring_ratio": 0.73,
    "snoring_count": 1,
    "sleep_cycle_count": 0,
    "sleep_cycle": None,
    "sleep_cycle_time": [],
}
_NESTED_SESSION: Final = {
    "id": "session-1",
    "state": "COMPLETE",
    "start_time": "2026-03-01T14:00:00+00:00",
    "end_time": "2026-03-01T14:10:00+00:00",
    "unexpected_end_time": None,
    "created_timezone": "Asia/Seoul",
    "breath_stages": None,
    "snoring_stages": _SNORING,
}
_REPORT: Final = {"timezone": "UTC", "peculiarities": [], "missing_data_ratio": 0.0, "user_id": "user-1"}
_V1_NIGHT: Final = {
    "session_start_time": "2026-03-01T23:00:00+09:00",
    "session_end_time": "2026-03-01T23:10:00+09:00",
    "stage_list": _STAGES,
    "osa_stages": _BREATH,
    "snoring_stages": _SNORING,
}

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "FlatInferenceComplete": {
        "event": "INFERENCE_COMPLETE",
        "version": "V3",
        "timestamp": "2026-03-01T14:10:02Z",
        **_WHOSE,
        **_NUMBERS,
        "sleep_stages": _WINDOW,
        "breath_stages": _BREATH[10:],
        "snoring_stages": _SNORING[10:],
        "time_window": {"start": "2026-03-01T14:05:00Z", "end": "2026-03-01T14:10:00Z"},
    },
    "FlatSessionComplete": {
        "event": "SESSION_COMPLETE",
        "version": "V3",
        "timestamp": "2026-03-01T14:11:00Z",
        **_WHOSE,
        "session": {
            "id": "session-1",
            "state": "COMPLETE",
            "start_time": "2026-03-01T23:00:00+09:00",
            "end_time": "2026-03-01T23:10:00+09:00",
            "timezone": "Asia/Seoul",
            "sleep_stages": _STAGES,
            "snoring_stages": _SNORING,
        },
        "stat": _FLAT_STAT,
        "peculiarities": [],
    },
    "PartialInferenceComplete": {
        "event": "INFERENCE_COMPLETE",
        "version": "V3",
        "session_id": "session-1",
        "sleep_stages": _WINDOW,
    },
    "PartialSessionComplete": {
        "event": "SESSION_COMPLETE",
        "version": "V3",
        "session_id": "session-1",
        "stat": {"sleep_time": "00:07:00", "sleep_efficiency": 70.0},
    },
    "NestedInferenceComplete": {
        "event": "INFERENCE_COMPLETE",
        "version": "V3",
        "data": {
            **_WHOSE,
            **_NUMBERS,
            "sleep_stages": _WINDOW,
            "breath_stages": None,
            "snoring_stages": _SNORING[10:],
        },
    },
    "NestedSessionComplete": {
        "event": "SESSION_COMPLETE",
        "version": "V3",
        "data": {
            **_REPORT,
            "session": {**_NESTED_SESSION, "sleep_stages": _STAGES},
            "stat": _NESTED_STAT,
        },
    },
    "V2InferenceComplete": {
        "callback_event": "INFERENCE_COMPLETE",
        "callback_version": "V2",
        "callback_data": {
            **_WHOSE,
            **_NUMBERS,
            "stage_list": _WINDOW,
            "breath_stages": None,
            "snoring_stages": _SNORING[10:],
        },
    },
    "V2SessionComplete": {
        "callback_event": "SESSION_COMPLETE",
        "callback_version": "V2",
        "callback_data": {
            **_REPORT,
            "session": {**_NESTED_SESSION, "stage_list": _STAGES},
            "stat": _NESTED_STAT,
        },
    },
    "V1InferenceComplete": {
        "callback_event": "INFERENCE_COMPLETE",
        "callback_version": "V1",
        "callback_data": {
            **_WHOSE,
            **_NUMBERS,
            "stage_list": _WINDOW,
            "osa_stages": _BREATH[10:],
            "snoring_stages": _SNORING[10:],
        },
    },
    "V1SessionComplete": {
        "callback_event": "SESSION_COMPLETE",
        "callback_version": "V1",
        "callback_data": {
            **_WHOSE,
            "timezone": "Asia/Seoul",
            "validity": "VALID",
            **_V1_NIGHT,
            "stat": None,
        },
    },
    "V1SessionCompleteInSleepData": {
        "callback_event": "SESSION_COMPLETE",
        "callback_version": "V1",
        "callback_data": {
            **_WHOSE,
            "timezone": "Asia/Seoul",
            "validity": "VALID",
            "sleep_data": _V1_NIGHT,
            "stat": _NESTED_STAT,
        },
    },
}
"""Bodies by name; a name begins with that of the schema it is an example of."""
