"""A disk that is soon full: a small file system of its own, for those who may mount one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NoMount(Exception):
    """No file system can be mounted here; the text says why."""


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """`folder` as a file system in memory of so many bytes, unmounted at the end; raises NoMount."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "small-disk", str(folder)]
    try:
        run = subprocess.run(mount, capture_output=True, text=True, check=False, timeout=30)
    except FileNotFoundError as error:
        raise NoMount(str(error)) from error
    if run.returncode != 0:
        raise NoMount(run.stderr.strip())
    try:
        yield folder
    finally:
        # Lazily, so that a process that still has a file open there does not keep it mounted.
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=30)
