"""Where programs in Java come from, a Kafka broker first: Maven, once, into the repository's cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

_REPOSITORY: Final = Path(__file__).resolve().parents[1]
_POM: Final = Path(__file__).resolve().parent / "kafka" / "pom.xml"


class BrokerUnavailable(Exception):
    """No broker can be started here; the text says why."""


def kafka_jars() -> Path:
    """Folder with the broker's jars; raises BrokerUnavailable."""
    return copied_jars(_POM, "kafka")


def copied_jars(pom: Path, name: str) -> Path:
    """Folder with the jars that a pom.xml names, by Maven, in the repository's cache under this name.

    Raises BrokerUnavailable.
    """
    version = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    folder = _REPOSITORY / ".cache" / name / version
    _demand("java")
    if folder.is_dir():
        return folder
    _demand("mvn")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        copied = Path(scratch) / "jars"
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={copied}"]
        command = ["mvn", "-q", "-B", "-f", str(pom), *copy]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise BrokerUnavailable(f"Maven could not copy its jars: {run.stdout[-2000:]}{run.stderr}")
        try:
            copied.rename(folder)
        except OSError:  # another test run was first
            if not folder.is_dir():
                raise
    return folder


def _demand(tool: str) -> None:
    if shutil.which(tool) is None:
        raise BrokerUnavailable(f"no `{tool}` on the PATH; install it, or give an ASLEEP_TEST_KAFKA")
