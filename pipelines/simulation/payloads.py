"""The flat bodies: the vendor's reference, and the partial form of its own curl examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.simulation.calls import REPORT_TAKES, Window, sequence_numbers
from pipelines.simulation.stat_fields import Body, Render, reference_stat

if TYPE_CHECKING:
    from pipelines.simulation.night import Night


@dataclass(frozen=True, slots=True)
class Flat:
    """Flat V3, the vendor's reference: percent, durations, cycles as objects."""

    night: Night
    at: Render
    zone_names: bool

    def inference(self, window: Window) -> Body:
        """The INFERENCE_COMPLETE."""
        night = self.night
        return {
            "event": "INFERENCE_COMPLETE",
            "version": "V3",
            "timestamp": self.at(window.sent_at),
            "user_id": night.user_id,
            "session_id": night.session_id,
            **sequence_numbers(window),
            "sleep_stages": window.stages,
            "breath_stages": window.cut(night.breath),
            "snoring_stages": window.cut(night.snoring),
            "time_window": {"start": self.at(night.at(window.first)), "end": self.at(night.at(window.end))},
        }

    def report(self) -> Body:
        """The SESSION_COMPLETE."""
        night = self.night
        zone: Body = {"timezone": night.timezone} if self.zone_names else {}
        return {
            "event": "SESSION_COMPLETE",
            "version": "V3",
            "timestamp": self.at(night.ended_at + REPORT_TAKES),
            "user_id": night.user_id,
            "session_id": night.session_id,
            "session": {
                "id": night.session_id,
                "state": "COMPLETE",
                "start_time": self.at(night.started_at),
                "end_time": self.at(night.ended_at),
                **zone,
                "sleep_stages": night.stages,
                "snoring_stages": night.snoring,
            },
            "stat": reference_stat(night, self.at),
            "peculiarities": night.peculiarities,
        }


@dataclass(frozen=True, slots=True)
class Partial:
    """Flat without timestamp, user or sequence numbers; the report has two statistics and no stages."""

    night: Night
    at: Render

    def inference(self, window: Window) -> Body:
        """The INFERENCE_COMPLETE."""
        night = self.night
        arrays = {"breath_stages": window.cut(night.breath), "snoring_stages": window.cut(night.snoring)}
        return {
            "event": "INFERENCE_COMPLETE",
            "version": "V3",
            "session_id": night.session_id,
            "sleep_stages": window.stages,
            **{name: values for name, values in arrays.items() if values is not None},
            "time_window": {"start": self.at(night.at(window.first)), "end": self.at(night.at(window.end))},
        }

    def report(self) -> Body:
        """The SESSION_COMPLETE."""
        stat = reference_stat(self.night, self.at) or {}
        return {
            "event": "SESSION_COMPLETE",
            "version": "V3",
            "session_id": self.night.session_id,
            "stat": {name: stat.get(name) for name in ("sleep_time", "sleep_efficiency")},
        }
