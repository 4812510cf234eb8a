"""Publishes builds in tests, and asks what analysts would see."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from ingest.settings import Settings
from pipelines.database import build_lock
from pipelines.publishing import publish
from tests.builds import run_build

AS_OF = datetime(2026, 1, 10, tzinfo=UTC)


def publish_now(settings: Settings) -> Path:
    with build_lock(settings):
        return publish(settings)


def build_and_publish(settings: Settings) -> Path:
    run_build(settings, AS_OF)
    return publish_now(settings)


def published(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(settings.published_path, read_only=True) as connection:
        return connection.sql(query).fetchall()


def newest_build(settings: Settings) -> object:
    [(build_id,)] = published(settings, "select max(build_id) from build_info")
    return build_id
