"""The bodies that keep everything under `data`: the live service's V3, and the names before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.simulation.calls import Window, sequence_numbers
from pipelines.simulation.stat_fields import Body, Render, live_stat
from pipelines.simulation.vendor_stat import WITHOUT_STATISTICS

if TYPE_CHECKING:
    from pipelines.simulation.night import Night


@dataclass(frozen=True, slots=True)
class Nested:
    """Nested V3, what the live service sends: ratios, onset as a time, breath always null."""

    night: Night
    at: Render
    zone_names: bool

    def inference(self, window: Window) -> Body:
        """The INFERENCE_COMPLETE."""
        return {"event": "INFERENCE_COMPLETE", "version": "V3", "data": self.inference_data(window)}

    def report(self) -> Body:
        """The SESSION_COMPLETE."""
        return {"event": "SESSION_COMPLETE", "version": "V3", "data": self.report_data()}

    def inference_data(self, window: Window) -> Body:
        """What the INFERENCE_COMPLETE has under `data`."""
        night = self.night
        return {
            "user_id": night.user_id,
            "session_id": night.session_id,
            **sequence_numbers(window),
            "sleep_stages": window.stages,
            "breath_stages": None,
            "snoring_stages": window.cut(night.snoring),
        }

    def report_data(self) -> Body:
        """What the SESSION_COMPLETE has under `data`."""
        night = self.night
        return {
            "timezone": "UTC" if self.zone_names else None,
            "peculiarities": night.peculiarities,
            "missing_data_ratio": night.missing_data_ratio,
            "user_id": night.user_id,
            "session": {
                "id": night.session_id,
                "state": "COMPLETE",
                "start_time": self.at(night.started_at),
                "end_time": self.at(night.ended_at),
                "unexpected_end_time": None,
                "created_timezone": night.timezone if self.zone_names else None,
                "sleep_stages": night.stages,
                "breath_stages": None,
                "snoring_stages": night.snoring,
            },
            "stat": live_stat(night, None, self.at),
        }


@dataclass(frozen=True, slots=True)
class V2:
    """Version 2: the nested body under the names of its time."""

    nested: Nested

    def inference(self, window: Window) -> Body:
        """The INFERENCE_COMPLETE."""
        return _callback("INFERENCE_COMPLETE", "V2", _old_names(self.nested.inference_data(window)))

    def report(self) -> Body:
        """The SESSION_COMPLETE."""
        return _callback("SESSION_COMPLETE", "V2", _old_names(self.nested.report_data()))


@dataclass(frozen=True, slots=True)
class V1:
    """Version 1: OSA stages for breath, session_start_time, a validity in place of peculiarities."""

    night: Night
    at: Render
    zone_names: bool

    def inference(self, window: Window) -> Body:
        """The INFERENCE_COMPLETE."""
        night = self.night
        data: Body = {
            "user_id": night.user_id,
            "session_id": night.session_id,
            **sequence_numbers(window),
            "stage_list": window.stages,
            "osa_stages": window.cut(night.breath),
            "snoring_stages": window.cut(night.snoring),
        }
        return _callback("INFERENCE_COMPLETE", "V1", data)

    def report(self) -> Body:
        """The SESSION_COMPLETE."""
        night = self.night
        reasons = WITHOUT_STATISTICS.intersection(night.peculiarities)
        data: Body = {
            "timezone": night.timezone if self.zone_names else None,
            "validity": min(reasons, default="VALID"),
            "user_id": night.user_id,
            "session_id": night.session_id,
            "session": {
                "id": night.session_id,
                "state": "COMPLETE",
                "session_start_time": self.at(night.started_at),
                "session_end_time": self.at(night.ended_at),
                "stage_list": night.stages,
                "osa_stages": night.breath,
                "snoring_stages": night.snoring,
            },
            "stat": live_stat(night, night.breath, self.at),
        }
        return _callback("SESSION_COMPLETE", "V1", data)


def _callback(event: str, version: str, data: object) -> Body:
    return {"callback_event": event, "callback_version": version, "callback_data": data}


def _old_names(value: object) -> object:
    """The same JSON with `stage_list` for `sleep_stages`, at any depth of objects."""
    if not isinstance(value, dict):
        return value
    return {
        "stage_list" if name == "sleep_stages" else name: _old_names(item) for name, item in value.items()
    }
