"""A process that builds and publishes once, tells how far it has come, and dies where it is told to.

`python -m tests.pipelines.builder_process DATA_DIR AS_OF {full,incremental} [HOW NUMBER]` prints a line as
each model begins, `publishing`, and at last `operations` with their number. HOW is one of

- `operation`: die before the file operation of that number;
- `byte`: die when a file that is written by the publishing grows beyond so many bytes.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ingest.settings import Settings
from pipelines.database import build_lock
from pipelines.publishing import publish
from pipelines.warehouse import build

PATIENCE_SECONDS: Final = 60
OPERATIONS: Final = ("open", "os.", "shutil.")


def _count_operations(last: int | None) -> list[int]:
    """A counter of the operations on files from now on; the process dies before the one of this number."""
    counted = [0]

    def hook(event: str, _: tuple[Any, ...]) -> None:
        if not event.startswith(OPERATIONS):
            return
        counted[0] += 1
        if counted[0] == last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return counted


def _die_beyond(size: int) -> None:
    """Let the kernel end this process, at once, when it makes a file longer than that."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def main() -> None:
    """Build, publish, or die on the way."""
    data_dir, as_of, kind, *death = sys.argv[1:]
    how, number = (death[0], int(death[1])) if death else ("", 0)
    settings = Settings(data_dir=Path(data_dir))

    def say(what: str) -> None:
        print(what, flush=True)

    with build_lock(settings):
        counted = _count_operations(number if how == "operation" else None)
        build(settings, full=kind == "full", as_of=datetime.fromisoformat(as_of), progress=say)
        say("publishing")
        if how == "byte":
            _die_beyond(number)
        publish(settings)
    say(f"operations {counted[0]}")


class Builder:
    """The process, seen from the test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def lines(self) -> Iterator[str]:
        """What it says, as it says it."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line.rstrip("\n")

    def kill(self) -> None:
        """End it as a lack of power would."""
        self._process.kill()

    def dies_within(self, seconds: float) -> bool:
        """Wait for its end, whatever it says meanwhile."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def was_killed(self) -> bool:
        """Wait for the end, and tell whether it came before the work was done."""
        for _ in self.lines():
            pass
        code = self._process.wait(PATIENCE_SECONDS)
        assert code in {0, -signal.SIGKILL, -signal.SIGXFSZ}
        return code != 0


@contextmanager
def builder(
    settings: Settings, as_of: datetime, *, full: bool, death: tuple[str, int] | None = None
) -> Iterator[Builder]:
    """Start it; it is gone at the end."""
    kind = "full" if full else "incremental"
    arguments = [str(settings.data_dir), as_of.isoformat(), kind, *map(str, death or ())]
    command = [sys.executable, "-m", "tests.pipelines.builder_process", *arguments]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Builder(process)
        finally:
            process.kill()


if __name__ == "__main__":
    main()
