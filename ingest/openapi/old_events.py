"""Both events under the names of versions 1 and 2 of the vendor's API."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import Field

from ingest.openapi.events import ReportData, SessionTimes, Window
from ingest.openapi.parts import (
    BreathStages,
    Described,
    InferenceName,
    NestedStat,
    SessionId,
    SessionName,
    SleepStages,
    SnoringStages,
    State,
    UserId,
)

_V1: Final = Field(None, description="Version of the vendor's API; without one it is V1.", examples=["V1"])


class V2Window(Window):
    """What a V2 INFERENCE_COMPLETE has under `callback_data`."""

    stage_list: SleepStages | None
    breath_stages: BreathStages | None = None


class V2InferenceComplete(Described):
    """A window of stages, under `callback_data`; `stage_list` holds the sleep stages."""

    callback_event: InferenceName
    callback_version: Literal["V2"] = Field(description="Version of the vendor's API.")
    callback_data: V2Window


class V2Session(SessionTimes):
    """The session of a V2 report."""

    stage_list: SleepStages | None = None


class V2ReportData(ReportData):
    """What a V2 report has under `callback_data`."""

    session: V2Session


class V2SessionComplete(Described):
    """The final report, under `callback_data`."""

    callback_event: SessionName
    callback_version: Literal["V2"] = Field(description="Version of the vendor's API.")
    callback_data: V2ReportData


class V1Window(Window):
    """What a V1 INFERENCE_COMPLETE has under `callback_data`."""

    stage_list: SleepStages | None
    osa_stages: BreathStages | None = None


class V1InferenceComplete(Described):
    """A window of stages, under `callback_data`; `stage_list` and `osa_stages` hold sleep and breath."""

    callback_event: InferenceName
    callback_version: Literal["V1"] | None = _V1
    callback_data: V1Window


class V1Report(Described):
    """Times and stages of a whole night."""

    state: State | None = Field(None, description="COMPLETE in a final report.", examples=["COMPLETE"])
    session_start_time: datetime | None = Field(
        None, description="Start of the session.", examples=["2026-03-01T23:00:00+09:00"]
    )
    session_end_time: datetime | None = Field(
        None, description="End of the session.", examples=["2026-03-01T23:10:00+09:00"]
    )
    stage_list: SleepStages | None = None
    osa_stages: BreathStages | None = None
    snoring_stages: SnoringStages | None = None


class V1Session(V1Report):
    """The session of a V1 report."""

    id: SessionId | None = None


class V1ReportData(V1Report):
    """What a V1 report has under `callback_data`; the night may also be in `session` or in `sleep_data`."""

    user_id: UserId
    session_id: SessionId
    timezone: str | None = Field(
        None, description="The user's zone, by its IANA name.", examples=["Asia/Seoul"]
    )
    validity: str | None = Field(
        None,
        description="VALID, or why the night is not.",
        examples=["VALID", "TOO_MANY_DEFECTS_IN_SLEEP_STAGES"],
    )
    session: V1Session | None = None
    sleep_data: V1Session | None = None
    stat: NestedStat | None = Field(None, description="Null unless the session is complete and valid.")


class V1SessionComplete(Described):
    """The final report, under `callback_data`, with a validity in place of peculiarities."""

    callback_event: SessionName
    callback_version: Literal["V1"] | None = _V1
    callback_data: V1ReportData
