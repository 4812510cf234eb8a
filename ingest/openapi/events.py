"""Both events in every dialect, as the models that their schemas are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import Field

from ingest.openapi.parts import (
    BlockNumber,
    BreathStages,
    Described,
    FlatStat,
    InferenceName,
    MissingDataRatio,
    NestedStat,
    Peculiarities,
    SequenceNumber,
    SessionId,
    SessionName,
    SleepStages,
    SnoringStages,
    State,
    TimeWindow,
    UserId,
)

_VERSION: Final = Field(None, description="Version of the vendor's API.", examples=["V3"])
_MADE_AT: Final = Field(
    description="When the event was made: of two that revise each other the later one counts.",
    examples=["2026-03-01T14:10:02Z"],
)
_START: Final = Field(None, description="Start of the session.", examples=["2026-03-01T14:00:00Z"])
_END: Final = Field(None, description="End of the session.", examples=["2026-03-01T14:10:00Z"])
_CREATED_ZONE: Final = Field(
    None, description="The user's own zone, by its IANA name.", examples=["Asia/Seoul"]
)
_WRITTEN_ZONE: Final = Field(
    None, description="The zone that the times are written in, by its IANA name.", examples=["UTC"]
)
_STATE: Final = Field(None, description="COMPLETE in a final report.", examples=["COMPLETE"])


class PartialInferenceComplete(Described):
    """A window of stages without timestamp, user or sequence numbers: x-user-id names the user."""

    event: InferenceName
    version: str | None = _VERSION
    session_id: SessionId
    sleep_stages: SleepStages | None
    breath_stages: BreathStages | None = None
    snoring_stages: SnoringStages | None = None
    time_window: TimeWindow | None = None


class FlatInferenceComplete(PartialInferenceComplete):
    """A window of stages, with everything at the top."""

    timestamp: datetime = _MADE_AT
    user_id: UserId
    seq_num: SequenceNumber | None = None
    inference_seq_num: BlockNumber | None = None


class PartialSessionComplete(Described):
    """A final report that may hold no more than some statistics: x-user-id names the user."""

    event: SessionName
    version: str | None = _VERSION
    session_id: SessionId
    stat: FlatStat | None = None
    peculiarities: Peculiarities | None = None


class FlatSession(Described):
    """The session of a flat report: its times, and the stages of the whole night."""

    id: SessionId
    state: State | None = _STATE
    start_time: datetime | None = _START
    end_time: datetime | None = _END
    timezone: str | None = Field(
        None, description="Zone of the session, by its IANA name.", examples=["Asia/Seoul"]
    )
    sleep_stages: SleepStages | None = None
    breath_stages: BreathStages | None = None
    snoring_stages: SnoringStages | None = None


class FlatSessionComplete(PartialSessionComplete):
    """The final report, with session and statistics at the top."""

    timestamp: datetime = _MADE_AT
    user_id: UserId
    session: FlatSession | None


class Window(Described):
    """Whose window it is and where it lies, as all but the flat form have it."""

    user_id: UserId
    session_id: SessionId
    seq_num: SequenceNumber | None = None
    inference_seq_num: BlockNumber | None = None
    snoring_stages: SnoringStages | None = None


class NestedWindow(Window):
    """What a nested INFERENCE_COMPLETE has under `data`."""

    sleep_stages: SleepStages | None
    breath_stages: BreathStages | None = None


class NestedInferenceComplete(Described):
    """A window of stages, all but the envelope under `data`: without timestamp and time_window."""

    event: InferenceName
    version: str | None = _VERSION
    data: NestedWindow


class SessionTimes(Described):
    """A session of the nested form, but for its stages."""

    id: SessionId
    state: State | None = _STATE
    start_time: datetime | None = _START
    end_time: datetime | None = _END
    unexpected_end_time: datetime | None = Field(
        None, description="When the session broke off; null where it ended as it should.", examples=[None]
    )
    created_timezone: str | None = _CREATED_ZONE
    breath_stages: BreathStages | None = None
    snoring_stages: SnoringStages | None = None


class NestedSession(SessionTimes):
    """The session of a nested report; its id stands nowhere else."""

    sleep_stages: SleepStages | None = None


class ReportData(Described):
    """What reports of the nested form and of V2 have under `data` beside the session."""

    timezone: str | None = _WRITTEN_ZONE
    peculiarities: Peculiarities | None = None
    missing_data_ratio: MissingDataRatio | None = None
    user_id: UserId
    stat: NestedStat | None = None


class NestedReportData(ReportData):
    """What a nested report has under `data`."""

    session: NestedSession


class NestedSessionComplete(Described):
    """The final report, all but the envelope under `data`: what the vendor's service sends today."""

    event: SessionName
    version: str | None = _VERSION
    data: NestedReportData
