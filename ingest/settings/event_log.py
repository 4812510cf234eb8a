"""Settings that every process needs: where everything is written, and which log keeps the records."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings

_LOG_URL = re.compile(r"sqlite:///.*[^/]|kafka://[^/@\s,]+(,[^/@\s,]+)*")
_BROKER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w-]{1,63}(\.[\w-]{1,63})*\.?):(\d{1,5})", re.ASCII)


class EventLogSettings(BaseSettings):
    """What every process is told."""

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

    kafka_partitions: int = Field(default=6, ge=1, description="Partitions of a topic that we create.")
    kafka_replication_factor: int = Field(default=1, ge=1, description="Replicas of a topic that we create.")
    kafka_min_insync_replicas: int = Field(
        default=1, ge=1, description="min.insync.replicas of a topic that we create."
    )

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
    def _replicas_in_order(self) -> Self:
        if self.kafka_min_insync_replicas > self.kafka_replication_factor:
            raise ValueError(
                "ASLEEP_KAFKA_MIN_INSYNC_REPLICAS is larger than ASLEEP_KAFKA_REPLICATION_FACTOR"
            )
        return self

    @property
    def log_url(self) -> str:
        """The event log's address, the default filled in."""
        return self.event_log_url or f"sqlite:///{self.data_dir / 'event_log.db'}"
