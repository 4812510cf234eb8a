"""Where landed files are kept: the place that the settings name."""

from __future__ import annotations

from ingest.durable_files import FileOperations
from ingest.raw_store.base import RawStore
from ingest.raw_store.local import LocalStore
from ingest.settings import Settings


def open_store(settings: Settings, files: FileOperations | None = None) -> RawStore:
    """The store of `settings`; `files` are the steps on a local disk, where tests let one fail."""
    if not settings.raw_url:
        return LocalStore(settings.raw_dir, files)
    from ingest.raw_store.objects import ObjectStore  # noqa: PLC0415  most never need it, and it is large

    return ObjectStore(settings.raw_url)
