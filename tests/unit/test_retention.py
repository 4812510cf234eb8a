"""What retention removes, what it never removes, and that `verify` knows the difference from a loss."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from ingest.event_log.base import Partition
from ingest.gaps import Gap, record_gap
from ingest.landed_files import LandedRange
from ingest.raw_files import RawFiles
from ingest.retention import RetirementReport, retire
from ingest.retired import Retired, retired_ranges
from ingest.verify import VerifyReport, verify
from tests.unit.memory_landing import ATTEMPTS, path_of, settings_of
from tests.unit.memory_reader import EVENTS
from tests.unit.raw_worlds import DAY, LOG_ID, all_files, log_of, put, ranges, store_of

TODAY = DAY + timedelta(days=10)


class Killed(BaseException):
    """Stands for kill -9: nothing of ours handles it."""


def everything(_: LandedRange) -> bool:
    return True


def retired(
    tmp_path: Path,
    is_loaded: Callable[[LandedRange], bool] = everything,
    *,
    days: int = 7,
    today: date = TODAY,
) -> RetirementReport:
    return retire(settings_of(tmp_path, keep_events_days=days), is_loaded, today=today)


def labels(tmp_path: Path) -> list[tuple[int, int]]:
    return [
        (each.first_offset, each.last_offset) for each in retired_ranges(store_of(tmp_path), EVENTS.topic)
    ]


def check(tmp_path: Path) -> VerifyReport:
    return verify(settings_of(tmp_path), deep=True, connect=log_of(tmp_path).connect)


@pytest.fixture
def files(tmp_path: Path) -> list[LandedRange]:
    """A file a day for ten days, of three offsets each."""
    return [put(tmp_path, 3 * day, 3 * day + 2, day=DAY + timedelta(days=day)) for day in range(10)]


def test_files_that_are_older_than_the_setting_and_loaded_go_and_are_written_down(
    tmp_path: Path, files: list[LandedRange]
) -> None:
    report = retired(tmp_path)
    assert (report.files, report.removed, report.waiting) == (3, {EVENTS.topic: 3}, [])
    assert all_files(tmp_path) == files[3:]
    assert labels(tmp_path) == [(0, 8)]
    verdict = check(tmp_path)
    assert verdict.ok, verdict.problems
    assert (verdict.partitions[0].retired, verdict.partitions[0].missing) == (9, 0)
    assert RawFiles(store_of(tmp_path), LOG_ID).next_offset(EVENTS) == 30


@pytest.mark.usefixtures("files")
def test_days_later_the_next_ones_go_and_one_record_is_left(tmp_path: Path) -> None:
    retired(tmp_path)
    assert retired(tmp_path).files == 0
    assert retired(tmp_path, today=TODAY + timedelta(days=2)).files == 2
    assert labels(tmp_path) == [(0, 14)]
    assert check(tmp_path).ok


@pytest.mark.usefixtures("files")
def test_the_file_in_which_a_partition_ends_never_goes(tmp_path: Path) -> None:
    retired(tmp_path, today=TODAY + timedelta(days=1000))
    assert ranges(tmp_path) == [(27, 29)]
    assert RawFiles(store_of(tmp_path), LOG_ID).next_offset(EVENTS) == 30
    assert check(tmp_path).ok


def test_a_file_that_is_not_loaded_stays_and_so_does_all_behind_it(
    tmp_path: Path, files: list[LandedRange]
) -> None:
    report = retired(tmp_path, lambda file: file != files[1])
    assert (report.files, all_files(tmp_path)) == (1, files[1:])
    assert len(report.waiting) == 1
    assert files[1].label in report.waiting[0]
    assert check(tmp_path).ok


@pytest.mark.usefixtures("files")
def test_without_a_setting_nothing_goes_and_each_topic_has_its_own(tmp_path: Path) -> None:
    put(tmp_path, 0, 0, ATTEMPTS)
    put(tmp_path, 1, 1, ATTEMPTS)
    assert retire(settings_of(tmp_path), everything, today=TODAY).removed == {}
    report = retire(settings_of(tmp_path, keep_attempts_days=1), everything, today=TODAY)
    assert report.removed == {ATTEMPTS.topic: 1}
    assert [file.source for file in all_files(tmp_path)].count(ATTEMPTS) == 1


def test_partitions_end_and_begin_each_by_themselves(tmp_path: Path) -> None:
    other = Partition(EVENTS.topic, 1)
    for source in (EVENTS, other):
        put(tmp_path, 0, 2, source)
        put(tmp_path, 3, 4, source, day=TODAY)
    assert retired(tmp_path).files == 2
    assert [each.source for each in retired_ranges(store_of(tmp_path), EVENTS.topic)] == [EVENTS, other]
    assert check(tmp_path).ok


def test_behind_offsets_that_are_missing_nothing_goes_and_that_is_told(
    tmp_path: Path, files: list[LandedRange]
) -> None:
    path_of(tmp_path, files[1]).unlink()
    report = retired(tmp_path)
    assert report.files == 1
    [told] = report.waiting
    assert told.startswith(
        "asleep.events[0]@6..8: older than it need be kept, but behind offsets that are in no"
    )
    assert files[2] in all_files(tmp_path)
    assert check(tmp_path).problems == ("asleep.events[0]@3..5: in no file",)


def test_a_recorded_gap_stays_lost_and_does_not_stop_retention(
    tmp_path: Path, files: list[LandedRange]
) -> None:
    path_of(tmp_path, files[1]).unlink()
    record_gap(store_of(tmp_path), Gap(LOG_ID, EVENTS, 3, 5), lambda: None)
    assert retired(tmp_path).files == 2
    assert labels(tmp_path) == [(0, 2), (6, 8)]
    [part] = check(tmp_path).partitions
    assert (part.lost, part.retired, part.missing) == (3, 6, 0)


@pytest.mark.parametrize("removals", range(3))
def test_killed_while_it_removes_nothing_is_missing_and_the_next_one_goes_on(
    tmp_path: Path, files: list[LandedRange], monkeypatch: pytest.MonkeyPatch, removals: int
) -> None:
    store = store_of(tmp_path)
    remove = store.remove
    left = removals

    def die(name: str) -> None:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        remove(name)

    monkeypatch.setattr(store, "remove", die)
    settings = settings_of(tmp_path, keep_events_days=7)
    with pytest.raises(Killed):
        retire(settings, everything, today=TODAY, store=store)
    assert all_files(tmp_path) == files[removals:]
    verdict = check(tmp_path)
    assert verdict.ok, verdict.problems
    assert [f"{3 - removals} files are of a retired range" in note for note in verdict.notes] == [True]
    assert retired(tmp_path, lambda _: False).files == 0
    assert retired(tmp_path).files == 3 - removals
    assert labels(tmp_path) == [(0, 8)]
    assert check(tmp_path).notes == ()


def test_an_overlapping_file_that_stays_keeps_the_one_it_overlaps(tmp_path: Path) -> None:
    put(tmp_path, 0, 2)
    put(tmp_path, 3, 9)
    put(tmp_path, 8, 12, day=TODAY)
    put(tmp_path, 13, 13, day=TODAY)
    assert retired(tmp_path).files == 1
    assert labels(tmp_path) == [(0, 2)]


@pytest.mark.usefixtures("files")
def test_a_longer_record_makes_shorter_ones_superfluous(tmp_path: Path) -> None:
    retired(tmp_path)
    store = store_of(tmp_path)
    shorter = Retired(LOG_ID, EVENTS, 3, 5)
    store.create(
        shorter.name, lambda file: file.write(b"{}"), lambda: None, alone_in="asleep.events/log=memory"
    )
    assert check(tmp_path).partitions[0].retired == 9
    retired(tmp_path)
    assert labels(tmp_path) == [(0, 8)]
