"""Every setting of the product, typed and documented; the only reader of the environment."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_LOG_URL = re.compile(r"sqlite:///.*[^/]|kafka://[^/@\s,]+(,[^/@\s,]+)*")
_BROKER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w-]{1,63}(\.[\w-]{1,63})*\.?):(\d{1,5})", re.ASCII)
_RATE = r"^([1-9]\d*/(second|minute|hour))?$"

_Seconds = Annotated[float, Field(allow_inf_nan=False, le=24 * 60 * 60)]


class WrongSetting(ValueError):
    """A setting has a value that nothing can be done with; the message names it, and never holds a secret."""


class Settings(BaseSettings):
    """Values come from the environment (prefix `ASLEEP_`); a wrong one fails at start and names itself."""

    model_config = SettingsConfigDict(
        env_prefix="ASLEEP_", env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
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
    signing_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated secrets of Standard Webhooks, `whsec_` and base64; several while one is "
        "replaced by the next.",
    )
    signatures: Literal["required", "accepted", "ignored"] = Field(
        default="accepted",
        description="`required`: unsigned calls are refused; `accepted`: a signature that is there must be "
        "right; `ignored`: none is looked at. Without secrets `accepted` is `ignored`.",
    )
    signature_tolerance_seconds: int = Field(
        default=300, ge=1, description="How far a signed timestamp may be from our clock, in seconds."
    )
    known_users_only: bool = Field(
        default=False, description="Whether x-user-id must be a user of the users file; if not: 403."
    )
    user_mismatch: Literal["accepted", "refused"] = Field(
        default="accepted",
        description="A body whose user is not that of x-user-id: `accepted` (and marked) or `refused`: 403.",
    )
    rate_limit_per_key: str = Field(
        default="",
        pattern=_RATE,
        description="Calls with one API key, as `1000/second`, `5000/minute` or `9/hour`; more: 429. "
        "Empty: no limit. Each worker process counts for itself.",
    )
    rate_limit_per_address: str = Field(
        default="", pattern=_RATE, description="The same for calls from one address, whatever their key."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated addresses or networks whose X-Forwarded-For names the caller; "
        "from anybody else that header is ignored.",
    )

    host: str = Field(default="127.0.0.1", description="Address the receiver listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the receiver listens on.")
    tls_certificate_file: Path | None = Field(
        default=None, description="PEM file of a certificate and its chain: the receiver then speaks HTTPS."
    )
    tls_key_file: Path | None = Field(default=None, description="PEM file of the certificate's private key.")
    max_header_bytes: int = Field(
        default=16 * 1024, ge=1024, description="Largest head of a call, in bytes; larger: 431."
    )
    max_body_bytes: int = Field(
        default=1024 * 1024,
        ge=1,
        description="Largest webhook body accepted, in bytes, also after decompression; larger: 413.",
    )
    body_timeout_seconds: _Seconds = Field(
        default=10.0, gt=0, description="Longest wait for the whole of a call to arrive; longer: 408."
    )
    max_open_requests: int = Field(
        default=2000, ge=1, description="Calls that one worker holds open at a time; more: 503."
    )
    append_timeout_seconds: _Seconds = Field(
        default=2.0,
        gt=0,
        description="Longest wait for the event log before an event goes to the spool, and for the spool "
        "before the receiver answers 503.",
    )
    spool_dir: Path | None = Field(
        default=None,
        description="Folder of what is accepted while the event log is away; default: spool in the data "
        "folder.",
    )
    spool_max_bytes: int = Field(
        default=1024**3,
        ge=1,
        description="Bytes a worker may hold on its spool, its share of what dead ones left included.",
    )
    spool_min_free_bytes: int = Field(
        default=256 * 1024**2,
        ge=0,
        description="Free bytes on the spool's disk below which it takes no more.",
    )
    stop_delay_seconds: _Seconds = Field(
        default=1.0,
        ge=0,
        description="How long /readyz says 503 after SIGTERM before the receiver stops accepting calls.",
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
    land_max_age_seconds: _Seconds = Field(
        default=10.0, gt=0, description="Age of the oldest buffered record at which the lander closes a file."
    )

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

    @field_validator("api_keys", "signing_secrets", "trusted_proxies", mode="before")
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
        for broker in value.removeprefix("kafka://").split(",") if value.startswith("kafka://") else ():
            parts = _BROKER.fullmatch(broker)
            if parts is None or not 0 < int(parts[3]) < 65536:
                raise ValueError(f"{broker} must be HOST:PORT, an IPv6 address in brackets: [::1]:9092")
        return value

    @model_validator(mode="after")
    def _replicas_in_order(self) -> Settings:
        if self.kafka_min_insync_replicas > self.kafka_replication_factor:
            raise ValueError(
                "ASLEEP_KAFKA_MIN_INSYNC_REPLICAS is larger than ASLEEP_KAFKA_REPLICATION_FACTOR"
            )
        return self

    @model_validator(mode="after")
    def _what_belongs_together(self) -> Settings:
        if self.signatures == "required" and not self.signing_secrets:
            raise ValueError(
                "ASLEEP_SIGNATURES is required, and ASLEEP_SIGNING_SECRETS names no secret to check them with"
            )
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("set both ASLEEP_TLS_CERTIFICATE_FILE and ASLEEP_TLS_KEY_FILE, or neither")
        return self

    @property
    def log_url(self) -> str:
        """The event log's address, the default filled in."""
        return self.event_log_url or f"sqlite:///{self.data_dir / 'event_log.db'}"

    @property
    def receiver_scheme(self) -> str:
        """What the receiver speaks: `http`, or `https` where it has a certificate."""
        return "http" if self.tls_certificate_file is None else "https"

    @property
    def raw_dir(self) -> Path:
        """Folder of the landed Parquet files, the truth of the warehouse."""
        return self.data_dir / "raw"

    @property
    def spool_path(self) -> Path:
        """Folder of the spools, the default filled in."""
        return self.spool_dir or self.data_dir / "spool"

    @property
    def warehouse_dir(self) -> Path:
        """Folder of build.duckdb and of the published versions."""
        return self.data_dir / "warehouse"

    @property
    def users_path(self) -> Path | None:
        """The users file, the default filled in; None where there is no such file by default."""
        return self.users_file or next(self.data_dir.glob("users.csv"), None)

    @property
    def published_path(self) -> Path:
        """The one path that analysts open: a symlink to the newest published version."""
        return self.data_dir / "warehouse.duckdb"

    def environment(self) -> dict[str, str]:
        """The whole environment of a child process that is to have these settings, secrets included."""
        given = {f"ASLEEP_{name.upper()}": _as_text(value) for name, value in self if value is not None}
        return os.environ | given

    def masked(self) -> dict[str, object]:
        """The effective settings for a log line, secrets masked."""
        return self.model_dump(mode="json")


def _as_text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_as_text, value))
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
