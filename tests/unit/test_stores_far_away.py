"""What is special about stores far away: they may be silent for a while, and files in them may overlap."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest

from ingest.compaction import compact
from ingest.raw_store import open_store
from ingest.raw_store.base import StoreUnavailable
from ingest.raw_store.local import LocalStore
from ingest.settings import WrongSetting
from ingest.verify import verify
from tests.unit.memory_landing import settings_of
from tests.unit.raw_worlds import LATER, log_of, put, put_small_ones, ranges


def let_it_go_away(monkeypatch: pytest.MonkeyPatch, opens: int) -> None:
    """Let the store open so many files more, and then none."""
    left = iter(range(opens))
    really_open = LocalStore.open

    def open_or_not(store: LocalStore, name: str) -> BinaryIO:
        if next(left, None) is None:
            raise StoreUnavailable("no answer")
        return really_open(store, name)

    monkeypatch.setattr(LocalStore, "open", open_or_not)


@pytest.mark.parametrize(("deep", "opens"), [(False, 0), (False, 2), (True, 4)])
def test_a_store_that_goes_away_is_no_fault_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opens: int, *, deep: bool
) -> None:
    put_small_ones(tmp_path, 3)
    let_it_go_away(monkeypatch, opens)
    with pytest.raises(StoreUnavailable):
        verify(settings_of(tmp_path), deep=deep, connect=log_of(tmp_path).connect)


@pytest.mark.parametrize("opens", range(10))
def test_a_compaction_of_files_that_can_not_be_reached_stops_and_blames_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opens: int
) -> None:
    put_small_ones(tmp_path, 5)
    with monkeypatch.context() as patched:
        let_it_go_away(patched, opens)
        with pytest.raises(StoreUnavailable):
            compact(settings_of(tmp_path), now=LATER)
    assert compact(settings_of(tmp_path), now=LATER).ok
    assert ranges(tmp_path) == [(0, 11), (12, 14)]
    assert verify(settings_of(tmp_path), deep=True, connect=log_of(tmp_path).connect).ok


def test_a_compacted_file_has_all_the_rows_that_its_name_tells_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalStore, "is_exclusive", False)
    large = put(tmp_path, 0, 1000)
    put(tmp_path, 900, 1010)
    for first in (1011, 1021, 1031):
        put(tmp_path, first, first + 9)
    target = 2 * (tmp_path / "raw" / large.name).stat().st_size
    compact(settings_of(tmp_path, compact_target_bytes=target), now=LATER)
    assert ranges(tmp_path) == [(0, 1000), (900, 1010), (1011, 1030), (1031, 1040)]
    report = verify(settings_of(tmp_path), deep=True, connect=log_of(tmp_path).connect)
    assert report.problems == ()
    assert len(report.notes) == 1


def test_credentials_that_can_not_be_read_are_told_by_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "absent.json"))
    with pytest.raises(WrongSetting, match=r"ASLEEP_RAW_URL: gs://bucket can not be used: .*absent\.json"):
        open_store(settings_of(tmp_path, raw_url="gs://bucket"))
