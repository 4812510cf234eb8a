"""Settings of the builds, of what they publish, and of the Dagster UI."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings


class BuildSettings(BaseSettings):
    """What the builds are told."""

    users_file: Path | None = Field(
        default=None,
        description="CSV with user_id and any of birth_year, gender, timezone, signup_date, more columns; "
        "default: users.csv in the data folder, where there is one.",
    )
    abandoned_after_hours: float = Field(
        default=12.0,
        gt=0,
        le=24 * 365,
        description="Silence after which an unfinished session counts as abandoned.",
    )
    keep_versions: int = Field(
        default=3, ge=1, description="Published versions of the warehouse kept on disk."
    )
    warehouse_memory_limit: str = Field(
        default="4GB",
        pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$",
        description="DuckDB's memory limit in a build; beyond it, it spills to disk.",
    )
    dagster_port: int = Field(
        default=3000, ge=1, le=65535, description="Port of the Dagster UI in `asleep up`."
    )
