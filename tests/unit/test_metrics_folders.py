"""The folder of a receiver's numbers: its own while it lives, gone with it or with the next start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from ingest.metrics.folders import own_folder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

DIES = """
import os, sys
from pathlib import Path
from ingest.metrics.folders import own_folder
with own_folder(Path(sys.argv[1])) as folder:
    (folder / "1.json").write_text("[]")
    os.kill(os.getpid(), 9)
"""


def test_two_receivers_leave_each_other_alone(tmp_path: Path) -> None:
    with own_folder(tmp_path / "data" / "metrics") as first:
        (first / "1.json").write_text("[]")
        with own_folder(tmp_path / "data" / "metrics") as second:
            assert first != second
            assert (first / "1.json").read_text() == "[]"
        assert not second.exists()
        assert (first / "1.json").read_text() == "[]"
    assert list((tmp_path / "data" / "metrics").iterdir()) == []


def test_what_a_killed_receiver_left_goes_with_the_next_start(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    with own_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]
        assert left != folder


def test_a_folder_that_can_not_be_removed_stops_no_receiver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "old").mkdir()

    def refuse(path: Path) -> None:
        raise PermissionError(f"not yours: {path}")

    monkeypatch.setattr("shutil.rmtree", refuse)
    with own_folder(tmp_path) as folder:
        assert os.access(folder, os.W_OK)
    assert set(caplog.messages) == {"old metrics not removed"}
