"""Settings of the lander and of the files it writes."""

from __future__ import annotations

import re

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from ingest.settings.units import Days, Seconds

_RAW_URL = re.compile(r"(s3|gs)://[a-z0-9][a-z0-9._-]*(/[^/\s]+)*")


class LanderSettings(BaseSettings):
    """What the lander is told."""

    raw_url: str = Field(
        default="",
        description="Where the landed files are kept: `s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`, with the "
        "credentials that the cloud's own variables name; default: raw in the data folder.",
    )
    lander_host: str = Field(default="127.0.0.1", description="Address of the lander's own pages.")
    lander_port: int = Field(
        default=8001,
        ge=0,
        le=65535,
        description="Port of the lander's /metrics, /healthz and /readyz; 0: any free one, which it logs.",
    )
    land_max_rows: int = Field(default=50_000, ge=1, description="Rows at which the lander closes a file.")
    land_max_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1, description="Bytes of bodies at which the lander closes a file."
    )
    land_max_age_seconds: Seconds = Field(
        default=10.0, gt=0, description="Age of the oldest buffered record at which the lander closes a file."
    )
    compact_target_bytes: int = Field(
        default=128 * 1024 * 1024, ge=1024, description="Size that compacted files are brought up to."
    )
    keep_events_days: Days | None = Field(
        default=None,
        description="Days after which landed events that the warehouse holds are removed; empty: never. "
        "A warehouse built anew knows only what is kept.",
    )
    keep_attempts_days: Days | None = Field(default=None, description="The same for refused calls.")

    @field_validator("raw_url")
    @classmethod
    def _known_place(cls, value: str) -> str:
        if value and not _RAW_URL.fullmatch(value):
            raise ValueError("must look like s3://BUCKET/PREFIX or gs://BUCKET/PREFIX")
        return value
