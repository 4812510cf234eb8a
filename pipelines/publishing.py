"""Publishes a finished build: a read-only copy in its own folder, and a symlink to the newest."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb

from ingest.durable_files import FileOperations
from ingest.settings import Settings
from pipelines.database import PUBLISHED_NAME, build_path, published_versions, versions_dir
from pipelines.quality import CheckResult, Severity, load_checks, run_checks
from pipelines.seals import is_sealed_copy, seal

READ_ONLY_MODE = 0o444


class PublishError(Exception):
    """The build is not fit to be published; the version that analysts see stays as it was."""


def current_version(settings: Settings) -> int | None:
    """Number of the version that analysts see now; None before the first."""
    link = settings.published_path
    return int(link.readlink().parent.name) if link.is_symlink() else None


def publish(settings: Settings) -> Path:
    """Copy the newest build into `versions/<its build_id>`, prove the copy, and point the symlink at it.

    Call it with the build lock held. Returns the path of the copy; a build that analysts see already is left
    as it is. A copy is proved by the seal of its build, else by running the blocking checks on it. Raises
    PublishError when one of them fails, when there is no build, or when it was not closed cleanly.
    """
    source = build_path(settings)
    if not source.exists():
        raise PublishError(f"there is no {source}: build before publishing")
    if source.with_name(source.name + ".wal").exists():
        raise PublishError(f"{source} was not closed cleanly: build again before publishing")
    build_id = _newest_build(source)
    folder = versions_dir(settings) / f"{build_id:08d}"
    target = folder / PUBLISHED_NAME
    if build_id == current_version(settings) and target.exists():
        return target
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _copy_durably(source, target)
    if not is_sealed_copy(target, source):
        failed = [result for result in prove(target) if result.blocks]
        if failed:
            shutil.rmtree(folder)
            raise PublishError("blocking checks failed: " + ", ".join(_in_words(result) for result in failed))
        seal(source, proved=target)
    point_to(settings, build_id)
    _drop_old_versions(settings)
    return target


def _newest_build(path: Path) -> int:
    with duckdb.connect(path, read_only=True) as connection:
        [(build_id,)] = connection.table("build_info").aggregate("max(build_id)").fetchall()
    if build_id is None:
        raise PublishError(f"{path} holds no build: build again before publishing")
    return int(build_id)


def prove(path: Path) -> list[CheckResult]:
    """Run the blocking checks on a published copy."""
    blocking = [check for check in load_checks() if check.severity is Severity.BLOCK]
    with duckdb.connect(path, read_only=True) as connection:
        return run_checks(connection, blocking)


def point_to(settings: Settings, version: int) -> None:
    """Make a version on disk the one that analysts see, in one atomic rename."""
    link = settings.published_path
    target = versions_dir(settings) / f"{version:08d}" / PUBLISHED_NAME
    if not target.exists():
        raise PublishError(f"there is no version {version}; on disk: {published_versions(settings)}")
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(os.path.relpath(target, link.parent))
    fresh.replace(link)
    FileOperations().sync_folder(link.parent)


def _copy_durably(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.chmod(READ_ONLY_MODE)
    partial.rename(target)
    files = FileOperations()
    files.sync_folder(target.parent)
    files.sync_folder(target.parent.parent)


def _drop_old_versions(settings: Settings) -> None:
    kept = {current_version(settings), *published_versions(settings)[-settings.keep_versions :]}
    for folder in versions_dir(settings).iterdir():
        if folder.name.isdigit() and int(folder.name) not in kept:
            shutil.rmtree(folder)


def _in_words(result: CheckResult) -> str:
    return f"{result.check.table}.{result.check.name} ({result.offending_rows} rows)"
