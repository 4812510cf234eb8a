"""Partitions of which the log does not say where they begin or end: they wait, and the others are landed."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar

import pytest

from ingest.event_log.base import LogUnavailable, Partition
from tests.unit.lander_looks import Pages
from tests.unit.memory_landing import (
    ATTEMPTS,
    OTHER,
    assert_exactly_once,
    land_once,
    landing_in_background,
    settings_of,
    spans,
    wait_until,
)
from tests.unit.memory_reader import EVENTS, MemoryReader, ReadableLog


class Leaderless(MemoryReader):
    """Answers for no question that has a partition of `away` in it, nor says which one it is."""

    away: frozenset[Partition] = frozenset()
    asked: ClassVar[list[set[Partition]]] = []

    def first_offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        self.asked.append(set(partitions))
        self.answer(partitions)
        return super().first_offsets(partitions)

    def end_offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        self.answer(partitions)
        return super().end_offsets(partitions)

    def answer(self, partitions: Collection[Partition]) -> None:
        if self.away.intersection(partitions):
            raise LogUnavailable("no leader")


class Telling(Leaderless):
    """Says which one it is."""

    def answer(self, partitions: Collection[Partition]) -> None:
        if dead := self.away.intersection(partitions):
            raise LogUnavailable("no leader", dead)


@pytest.fixture
def pages(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Pages:
    """The pages of a lander that asks the log without rest where it ends, and again where it did not say."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("ingest.log_watch.ASK_SECONDS", 0.005)
    monkeypatch.setattr("ingest.log_watch._LOOK_SECONDS", 0.005)
    monkeypatch.setattr("ingest.beginnings._FIRST_DELAY_SECONDS", 0.02)
    monkeypatch.setattr("ingest.beginnings._LONGEST_DELAY_SECONDS", 0.05)
    return Pages(caplog)


def log_of(reader: type[Leaderless], *away: Partition) -> tuple[ReadableLog, type[Leaderless]]:
    """A log of three partitions with five records each, and the class of its readers."""

    class Own(reader):  # type: ignore[misc,valid-type]  # a class for each test
        asked: ClassVar[list[set[Partition]]] = []

    Own.away = frozenset(away)
    log = ReadableLog(reader=Own)
    for source in (EVENTS, OTHER, ATTEMPTS):
        log.append(5, source)
    return log, Own


@pytest.mark.parametrize("reader", [Leaderless, Telling])
def test_a_partition_without_a_leader_waits_and_keeps_no_other_waiting(
    tmp_path: Path, pages: Pages, reader: type[Leaderless]
) -> None:
    log, readers = log_of(reader, OTHER)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.01), log):
        wait_until(lambda: spans(tmp_path) and spans(tmp_path, ATTEMPTS))
        assert spans(tmp_path, OTHER) == []
        wait_until(lambda: "asleep.events[1]: no leader" in pages.problems().get("event_log", ""))
        assert "asleep.events[0]" not in pages.problems()["event_log"]
        assert pages.number("waiting", *OTHER) == 1
        assert pages.number("waiting", *EVENTS) == 0
        assert pages.number("paused", "event_log") == 0
        log.append(3)
        wait_until(lambda: spans(tmp_path)[-1][1] == 7)
        readers.away = frozenset()
        wait_until(lambda: spans(tmp_path, OTHER) == [(0, 4)] and not pages.problems())
        assert pages.number("waiting", *OTHER) == 0
    assert len(log.readers) == 1
    assert_exactly_once(tmp_path, log)


def test_what_waits_is_asked_for_together_with_delays_and_the_others_no_more(
    tmp_path: Path, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.beginnings._FIRST_DELAY_SECONDS", 3600.0)
    log, readers = log_of(Telling, OTHER, ATTEMPTS)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.01), log):
        wait_until(lambda: spans(tmp_path) == [(0, 4)])
        assert readers.asked == [{EVENTS, OTHER, ATTEMPTS}, {EVENTS}]
        log.append(1)
        polls = log.readers[0].polls
        wait_until(lambda: log.readers[0].polls > polls + 5)
        assert len(readers.asked) == 2
        readers.away = frozenset()
        log.readers[0].pending_revoke = {OTHER}
        wait_until(lambda: pages.number("waiting", *OTHER) is None)
        log.readers[0].pending_assign = {OTHER}
        wait_until(lambda: spans(tmp_path, OTHER) == [(0, 4)])
        assert pages.number("waiting", *ATTEMPTS) == 1


def test_where_all_partitions_wait_the_lander_stays_in_its_group_and_says_so(
    tmp_path: Path, pages: Pages
) -> None:
    log, readers = log_of(Leaderless, EVENTS, OTHER, ATTEMPTS)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=0.01), log):
        wait_until(lambda: pages.problems().get("event_log", "").startswith("not landed"))
        readers.away = frozenset()
        wait_until(lambda: spans(tmp_path) and not pages.problems())
    assert len(log.readers) == 1
    assert_exactly_once(tmp_path, log)


def test_a_partition_that_loses_its_leader_hides_the_lag_of_no_other(tmp_path: Path, pages: Pages) -> None:
    log, readers = log_of(Telling)
    with landing_in_background(settings_of(tmp_path, land_max_age_seconds=3600), log):
        wait_until(lambda: not pages.problems() and pages.number("lag_records", *EVENTS) == 5)
        readers.away = frozenset({OTHER})
        wait_until(lambda: pages.problems() == {"event_log": "no leader"})
        log.ends[EVENTS] += 90
        log.readers[0].seek(EVENTS, 95)
        wait_until(lambda: pages.number("lag_records", *EVENTS) == 95)
        readers.away = frozenset()
        wait_until(lambda: not pages.problems())


def test_landing_once_ends_with_the_reason(tmp_path: Path) -> None:
    log, _ = log_of(Telling, OTHER)
    with pytest.raises(LogUnavailable, match="no leader"):
        land_once(tmp_path, log)
