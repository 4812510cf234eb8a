"""Nights scored by people, read from a folder of JSON files."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Final
from uuid import NAMESPACE_URL, uuid5
from zlib import crc32
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, ValidationError, model_validator

from pipelines.simulation.night import EPOCH_SECONDS, Night
from pipelines.simulation.sleepers import ZONES

if TYPE_CHECKING:
    from pathlib import Path

_EARLIEST_BEDTIME: Final = time(22, 0)
_Stage = Annotated[int, Field(ge=-1, le=3)]


class ScoredNightsError(Exception):
    """A folder of scored nights that can not be read; the message names the file and the field."""


class _ScoredNight(BaseModel):
    """The part of a file that we use; `alt_stages` is a second reading of the same night."""

    night_id: str = Field(min_length=1)
    epoch_sec: float = EPOCH_SECONDS
    stages: tuple[_Stage, ...] = Field(min_length=1)
    alt_stages: tuple[_Stage, ...] | None = None

    @model_validator(mode="after")
    def _agree(self) -> _ScoredNight:
        if self.epoch_sec != EPOCH_SECONDS:
            raise ValueError(f"epoch_sec is {self.epoch_sec:g}, only {EPOCH_SECONDS} can be sent")
        if self.alt_stages is not None and len(self.alt_stages) != len(self.stages):
            raise ValueError(f"alt_stages has {len(self.alt_stages)} epochs, stages has {len(self.stages)}")
        return self


def read_scored_nights(folder: Path, first_day: date) -> list[Night]:
    """The nights of `folder`/*.json, ordered by file name, one evening each from `first_day` on.

    A file holds `night_id`, `stages` (-1..3 per 30-second epoch) and, as the early inference, `alt_stages`.
    User and session are functions of the night's id; there is neither snoring nor breath.
    Raises ScoredNightsError where there are no files or one is not of this form.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise ScoredNightsError(f"{folder}: no *.json files there")
    return [_read(file, first_day + timedelta(days=index)) for index, file in enumerate(files)]


def _read(file: Path, day: date) -> Night:
    try:
        scored = _ScoredNight.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the whole file"
        raise ScoredNightsError(f"{file}: {field}: {first['msg']}") from error
    digest = crc32(scored.night_id.encode())
    zone = ZONES[digest % len(ZONES)]
    bedtime = datetime.combine(day, _EARLIEST_BEDTIME, ZoneInfo(zone)) + timedelta(minutes=digest // 7 % 120)
    user = uuid5(NAMESPACE_URL, f"asleep-scored-night/{scored.night_id}")
    return Night(
        user_id=str(user),
        session_id=str(uuid5(user, "session")),
        started_at=bedtime.astimezone(UTC),
        timezone=zone,
        stages=scored.stages,
        early_stages=scored.alt_stages or scored.stages,
    )
