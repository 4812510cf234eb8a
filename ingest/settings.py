"""Every setting of the product, typed and documented; the only reader of the environment."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_LOG_URL = re.compile(r"sqlite:///.*[^/]|kafka://[^/@\s,]+(,[^/@\s,]+)*")


class Settings(BaseSettings):
    """Values come from the environment (prefix `ASLEEP_`); a wrong one fails at start and names itself."""

    model_config = SettingsConfigDict(
        env_prefix="ASLEEP_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    data_dir: Path = Field(
        default=Path("data"), description="Folder of everything we write: log, raw files, warehouse."
    )
    event_log_url: str = Field(
        default="",
        description="`sqlite:///FILE` (embedded) or `kafka://HOST:PORT[,HOST:PORT]`; "
        "default: sqlite under the data folder.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Lowest level that is logged."
    )

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated keys accepted in x-api-key; no default: nothing is open by accident.",
    )
    host: str = Field(default="127.0.0.1", description="Address the receiver listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the receiver listens on.")
    max_body_bytes: int = Field(
        default=1024 * 1024, ge=1, description="Largest webhook body accepted, in bytes; larger: 413."
    )
    append_timeout_seconds: float = Field(
        default=2.0, gt=0, description="Longest wait for the event log before the receiver answers 503."
    )

    kafka_partitions: int = Field(default=6, ge=1, description="Partitions of a topic that we create.")
    kafka_replication_factor: int = Field(default=1, ge=1, description="Replicas of a topic that we create.")
    kafka_min_insync_replicas: int = Field(
        default=1, ge=1, description="min.insync.replicas of a topic that we create."
    )

    land_max_rows: int = Field(default=50_000, ge=1, description="Rows at which the lander closes a file.")
    land_max_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1, description="Bytes of bodies at which the lander closes a file."
    )
    land_max_age_seconds: float = Field(
        default=10.0, gt=0, description="Age of the oldest buffered record at which the lander closes a file."
    )

    users_file: Path | None = Field(
        default=None,
        description="CSV with user_id and any of birth_year, gender, timezone, signup_date, more columns; "
        "default: users.csv in the data folder, where there is one.",
    )
    abandoned_after_hours: float = Field(
        default=12.0, gt=0, description="Silence after which an unfinished session counts as abandoned."
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

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_on_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("event_log_url")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        if value and not _LOG_URL.fullmatch(value):
            raise ValueError("must look like sqlite:///FILE or kafka://HOST:PORT[,HOST:PORT], no password")
        return value

    @model_validator(mode="after")
    def _replicas_in_order(self) -> Settings:
        if self.kafka_min_insync_replicas > self.kafka_replication_factor:
            raise ValueError("kafka_min_insync_replicas is larger than kafka_replication_factor")
        return self

    @property
    def log_url(self) -> str:
        """The event log's address, the default filled in."""
        return self.event_log_url or f"sqlite:///{self.data_dir / 'event_log.db'}"

    @property
    def raw_dir(self) -> Path:
        """Folder of the landed Parquet files, the truth of the warehouse."""
        return self.data_dir / "raw"

    @property
    def warehouse_dir(self) -> Path:
        """Folder of build.duckdb and of the published versions."""
        return self.data_dir / "warehouse"

    @property
    def users_path(self) -> Path | None:
        """The users file, the default filled in; None where there is no such file by default."""
        default = self.data_dir / "users.csv"
        return self.users_file or (default if default.exists() else None)

    @property
    def published_path(self) -> Path:
        """The one path that analysts open: a symlink to the newest published version."""
        return self.data_dir / "warehouse.duckdb"

    def environment(self) -> dict[str, str]:
        """The whole environment of a child process that is to have these settings, secrets included."""
        values = self.model_dump() | {"api_keys": ",".join(key.get_secret_value() for key in self.api_keys)}
        ours = {f"ASLEEP_{name.upper()}": str(value) for name, value in values.items() if value is not None}
        return os.environ | ours

    def masked(self) -> dict[str, object]:
        """The effective settings for a log line, secrets masked."""
        return self.model_dump(mode="json")
