"""Every setting of the product, typed and documented; the only reader of the environment."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from ingest.settings.building import BuildSettings
from ingest.settings.event_log import EventLogSettings
from ingest.settings.landing import LanderSettings
from ingest.settings.receiving import ReceiverSettings


class WrongSetting(ValueError):
    """A setting has a value that nothing can be done with; the message names it, and never holds a secret."""


class Settings(BuildSettings, LanderSettings, ReceiverSettings, EventLogSettings):
    """Values come from the environment (prefix `ASLEEP_`); a wrong one fails at start and names itself."""

    model_config = SettingsConfigDict(
        env_prefix="ASLEEP_", env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

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
