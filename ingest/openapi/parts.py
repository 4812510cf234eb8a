"""What the events are made of: stages, places, statistics, each with its meaning, unit and an example."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Described(BaseModel):
    """A JSON object of the vendor's; it may hold more than is described."""

    model_config = ConfigDict(extra="allow", defer_build=True)


class SleepStage(IntEnum):
    """-1 unknown, 0 wake, 1 light, 2 deep, 3 REM."""

    UNKNOWN = -1
    WAKE = 0
    LIGHT = 1
    DEEP = 2
    REM = 3


class BreathStage(IntEnum):
    """0 stable breathing, 1 unstable."""

    STABLE = 0
    UNSTABLE = 1


class SnoringStage(IntEnum):
    """0 no snoring, 1 snoring."""

    QUIET = 0
    SNORING = 1


Seconds = Annotated[float, Field(ge=0, json_schema_extra={"x-unit": "seconds"})]
Percent = Annotated[float, Field(ge=0, le=100, json_schema_extra={"x-unit": "percent"})]
Ratio = Annotated[float, Field(ge=0, le=1, json_schema_extra={"x-unit": "ratio, 0 to 1"})]
Score = Annotated[float, Field(ge=0, le=100, json_schema_extra={"x-unit": "points, 0 to 100"})]
Count = Annotated[int, Field(ge=0)]
InferenceName = Annotated[Literal["INFERENCE_COMPLETE"], Field(description="Name of the event.")]
SessionName = Annotated[Literal["SESSION_COMPLETE"], Field(description="Name of the event.")]
State = Literal["OPEN", "CLOSED", "COMPLETE"]

SleepStages = Annotated[
    list[SleepStage], Field(description="Sleep stages in order, one value per epoch of 30 seconds.")
]
BreathStages = Annotated[
    list[BreathStage], Field(description="Stability of breathing, from the same first epoch as the stages.")
]
SnoringStages = Annotated[
    list[SnoringStage], Field(description="Snoring, from the same first epoch as the stages.")
]
Peculiarities = Annotated[
    list[str],
    Field(
        description="Remarks about the session: IN_PROGRESS, NEVER_SLEPT, TOO_SHORT_FOR_ANALYSIS (under 5 "
        "minutes), NO_BREATHING_STABILITY, or others.",
        examples=[[], ["NEVER_SLEPT"]],
    ),
]
UserId = Annotated[
    str, Field(description="Whose night it is; the key of everything, together with the session.")
]
SessionId = Annotated[str, Field(description="The session; unique within one user only.")]
SequenceNumber = Annotated[
    int, Field(ge=0, description="Number of the upload of 30 seconds of audio, from 0.", examples=[19])
]
BlockNumber = Annotated[
    int,
    Field(
        ge=0,
        description="Number k of the block of 5 minutes, from 0: the window ends with epoch 10k + 9.",
        examples=[1],
    ),
]
MissingDataRatio = Annotated[Ratio, Field(description="Share of the session without data.", examples=[0.0])]


class TimeWindow(Described):
    """When the stages of a window lie; its length divided by their number is the length of each."""

    start: datetime = Field(description="Start of the first value.", examples=["2026-03-01T14:05:00Z"])
    end: datetime = Field(description="End of the last value.", examples=["2026-03-01T14:10:00Z"])


class SleepCycle(Described):
    """One cycle of sleep."""

    order: int = Field(ge=1, description="Place of the cycle in the night, from 1.", examples=[1])
    start_time: datetime = Field(description="Start of the cycle.", examples=["2026-03-01T14:02:00Z"])
    end_time: datetime = Field(description="End of the cycle.", examples=["2026-03-01T14:09:00Z"])


class CommonStat(Described):
    """Statistics that the flat and the nested form tell in the same way."""

    sleep_index: Score | None = Field(None, description="Quality of the sleep.", examples=[36])
    sleep_latency: Seconds | None = Field(
        None, description="From the session's start to sleep.", examples=[120]
    )
    time_in_bed: Seconds | None = Field(
        None, description="From the session's start to its end.", examples=[600]
    )
    time_in_sleep: Seconds | None = Field(None, description="Time asleep.", examples=[420])
    time_in_light: Seconds | None = Field(None, description="Time in light sleep.", examples=[180])
    time_in_deep: Seconds | None = Field(None, description="Time in deep sleep.", examples=[150])
    time_in_rem: Seconds | None = Field(None, description="Time in REM sleep.", examples=[90])
    waso_count: Count | None = Field(None, description="Times awake after sleep onset.", examples=[1])
    longest_waso: Seconds | None = Field(None, description="The longest of them.", examples=[30])


class FlatStat(CommonStat):
    """Statistics of the flat form: efficiency in percent, `sleep_time` as a duration, cycles as a list."""

    sleep_time: str | None = Field(
        None,
        pattern=r"^\d{1,2}:\d\d:\d\d$",
        description="Time asleep, as HH:MM:SS.",
        examples=["00:07:00", "06:30:00"],
    )
    sleep_efficiency: Percent | None = Field(
        None, description="Share of the time in bed that was sleep.", examples=[70.0]
    )
    sleep_cycle: list[SleepCycle] | None = Field(None, description="The cycles of the night, in order.")


class NestedStat(CommonStat):
    """Statistics of the nested form: efficiency as a ratio, `sleep_time` as an instant, mean cycle length."""

    sleep_time: datetime | None = Field(
        None, description="The moment of falling asleep.", examples=["2026-03-01T14:02:00Z"]
    )
    wake_time: datetime | None = Field(
        None, description="The moment of the last awakening.", examples=["2026-03-01T14:09:30Z"]
    )
    wakeup_latency: Seconds | None = Field(
        None, description="From the last awakening to the session's end.", examples=[30]
    )
    light_latency: Seconds | None = Field(None, description="From sleep onset to light sleep.", examples=[0])
    deep_latency: Seconds | None = Field(None, description="From sleep onset to deep sleep.", examples=[120])
    rem_latency: Seconds | None = Field(None, description="From sleep onset to REM sleep.", examples=[330])
    time_in_sleep_period: Seconds | None = Field(
        None, description="The sleep period: from the first sleep to the end of the last.", examples=[450]
    )
    time_in_wake: Seconds | None = Field(None, description="Time awake in the sleep period.", examples=[30])
    time_in_stable_breath: Seconds | None = Field(
        None, description="Time of stable breathing.", examples=[None]
    )
    time_in_unstable_breath: Seconds | None = Field(
        None, description="Time of unstable breathing.", examples=[None]
    )
    time_in_snoring: Seconds | None = Field(None, description="Time of snoring.", examples=[120])
    time_in_no_snoring: Seconds | None = Field(None, description="Time without snoring.", examples=[330])
    sleep_efficiency: Ratio | None = Field(
        None, description="Share of the time in bed that was sleep.", examples=[0.7]
    )
    sleep_ratio: Ratio | None = Field(None, description="Share of the sleep period asleep.", examples=[0.93])
    wake_ratio: Ratio | None = Field(None, description="Share of the sleep period awake.", examples=[0.07])
    light_ratio: Ratio | None = Field(None, description="Share of it in light sleep.", examples=[0.4])
    deep_ratio: Ratio | None = Field(None, description="Share of it in deep sleep.", examples=[0.33])
    rem_ratio: Ratio | None = Field(None, description="Share of it in REM sleep.", examples=[0.2])
    stable_breath_ratio: Ratio | None = Field(None, description="Share of it of stable breathing.")
    unstable_breath_ratio: Ratio | None = Field(None, description="Share of it of unstable breathing.")
    snoring_ratio: Ratio | None = Field(None, description="Share of it of snoring.", examples=[0.27])
    no_snoring_ratio: Ratio | None = Field(None, description="Share of it without snoring.", examples=[0.73])
    breathing_index: float | None = Field(
        None, description="The vendor's index of breathing, of no stated unit."
    )
    breathing_pattern: str | None = Field(None, description="The vendor's word for the night's breathing.")
    unstable_breath_count: Count | None = Field(None, description="Runs of unstable breathing.")
    snoring_count: Count | None = Field(None, description="Runs of snoring.", examples=[1])
    sleep_cycle_count: Count | None = Field(None, description="Number of sleep cycles.", examples=[1])
    sleep_cycle: Seconds | None = Field(None, description="Mean length of a sleep cycle.", examples=[420])
    sleep_cycle_time: list[datetime] | None = Field(None, description="The bounds of the cycles, in order.")
