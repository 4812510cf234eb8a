"""Removes landed files that are old enough, as far as the published warehouse holds what is in them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import duckdb

from ingest.retention import RetirementReport, retire
from ingest.settings import Settings
from pipelines.loading import Runs, holds, loaded_runs


def retire_loaded(settings: Settings, *, now: datetime | None = None) -> RetirementReport:
    """Remove what the settings keep no longer and analysts can see; raises OSError."""
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    return retire(settings, partial(holds, published_runs(settings)), today=today)


def published_runs(settings: Settings) -> Runs:
    """What the published warehouse says is in it; nothing where there is none, or it does not say.

    Raises OSError where it can not be read.
    """
    if not settings.published_path.exists():
        return {}
    try:
        with duckdb.connect(settings.published_path, read_only=True) as connection:
            if not connection.sql("from duckdb_tables() where table_name = 'loaded_offsets'"):
                return {}
            return loaded_runs(connection.table("loaded_offsets"))
    except duckdb.Error as error:
        raise OSError(f"{settings.published_path}: what it holds can not be read: {error}") from error
