"""The seal of a build: what its file was when its blocking checks had passed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def seal(path: Path, *, proved: Path | None = None) -> None:
    """Write down that the closed database at `path` passed, itself or in the copy that was `proved`.

    A seal that is lost or torn fits nothing.
    """
    _seal_path(path).write_text(f"{_digest(proved or path)}\n{_stamp(path)}\n", encoding="ascii")


def break_seal(path: Path) -> None:
    """Forget that the database at `path` passed."""
    _seal_path(path).unlink(missing_ok=True)


def is_sealed(path: Path) -> bool:
    """Whether nobody has written to the database at `path` since it was sealed."""
    return _sealed(path)[1:] == [_stamp(path)]


def is_sealed_copy(copy: Path, path: Path) -> bool:
    """Whether the copy has, byte for byte, what the database at `path` had when it was sealed."""
    return _sealed(path)[:1] == [_digest(copy)]


def _sealed(path: Path) -> list[str]:
    try:
        return _seal_path(path).read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return []


def _seal_path(path: Path) -> Path:
    return path.with_suffix(".seal")


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
