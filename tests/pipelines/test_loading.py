"""What a build loads: each offset once, however its files are cut, joined, doubled or removed meanwhile."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.landed_files import LandedRange, landed_files
from ingest.parquet_files import write_parquet
from ingest.raw_store.local import LocalStore
from ingest.records import Topic
from ingest.settings import Settings
from pipelines.database import BuildError
from pipelines.loading import Run, Source, holds, plan_loading
from tests.builds import rows, run_build, settings_for
from tests.raw_events import Event, land, simulated_events

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCE = Source("log", Topic.EVENTS.value, 0)
COUNTS = "select count(*), count(distinct log_offset), min(log_offset), max(log_offset) from stg_events"


def joined(settings: Settings, *paths: Path) -> Path:
    """One more file, with the rows of all of these in another order."""
    files = landed_files(LocalStore(settings.raw_dir), Topic.EVENTS)
    sources = [file for file in files if settings.raw_dir / file.name in paths]
    first, last = sources[0], sources[-1]
    range_ = LandedRange(
        first.log_id, first.topic, first.partition, first.first_offset, last.last_offset, first.received_date
    )
    table = pa.concat_tables(pq.ParquetFile(settings.raw_dir / file.name).read() for file in sources)
    path = settings.raw_dir / range_.name
    with path.open("xb") as file:
        write_parquet(file, table.sort_by([("user_id", "ascending"), ("log_offset", "ascending")]), range_)
    return path


@pytest.fixture(scope="module")
def parts() -> list[list[Event]]:
    events = simulated_events(users=2, days=2)
    cut = len(events) // 3
    return [list(events[:cut]), list(events[cut : 2 * cut]), list(events[2 * cut :])]


def landed_parts(settings: Settings, parts: list[list[Event]]) -> list[Path]:
    return [land(settings, part) for part in parts]


def test_a_file_that_replaces_loaded_ones_brings_no_row_again(
    tmp_path: Path, parts: list[list[Event]]
) -> None:
    settings = settings_for(tmp_path)
    first, second, third = landed_parts(settings, parts)
    run_build(settings, AS_OF)
    before = rows(settings, COUNTS)
    joined(settings, first, second)
    assert run_build(settings, AS_OF).new_files == 0
    first.unlink()
    second.unlink()
    assert run_build(settings, AS_OF).new_files == 0
    assert rows(settings, COUNTS) == before
    names = [name for (name,) in rows(settings, "select raw_file from raw_files order by first_offset")]
    assert [Path(name).name for name in names] == [joined_name(first, second), third.name]


def joined_name(first: Path, last: Path) -> str:
    topic, partition, begin, _ = first.name.split("+")
    return "+".join([topic, partition, begin, last.name.split("+")[3]])


@pytest.mark.parametrize("loaded", [[0], [1], [0, 2], [2]])
def test_of_a_file_that_replaces_loaded_and_new_ones_only_the_new_rows_are_loaded(
    tmp_path: Path, parts: list[list[Event]], loaded: list[int]
) -> None:
    settings = settings_for(tmp_path)
    paths = landed_parts(settings, parts)
    hidden = [path for number, path in enumerate(paths) if number not in loaded]
    for path in hidden:
        path.rename(path.with_suffix(".aside"))
    run_build(settings, AS_OF)
    for path in hidden:
        path.with_suffix(".aside").rename(path)
    joined(settings, *paths)
    for path in paths:
        path.unlink()
    assert run_build(settings, AS_OF).new_files == 1
    total = sum(map(len, parts))
    assert rows(settings, COUNTS) == [(total, total, 0, total - 1)]


def test_an_incremental_build_keeps_what_has_no_file_any_more_and_a_full_one_must_be_told_to_forget_it(
    tmp_path: Path, parts: list[list[Event]]
) -> None:
    settings = settings_for(tmp_path)
    first, *_ = landed_parts(settings, parts)
    run_build(settings, AS_OF)
    before = rows(settings, COUNTS)
    first.unlink()
    run_build(settings, AS_OF)
    assert rows(settings, COUNTS) == before
    with pytest.raises(BuildError, match=rf"forget .* {len(parts[0]):,} of asleep\.events\[0\]"):
        run_build(settings, AS_OF, full=True)
    assert rows(settings, COUNTS) == before
    run_build(settings, AS_OF, full=True, forget=True)
    assert rows(settings, "select min(log_offset) from stg_events") == [(len(parts[0]),)]


RUNS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=6)


@given(loaded=RUNS, files=RUNS)
def test_each_landed_offset_is_loaded_once_and_each_loaded_one_known(
    tmp_path_factory: pytest.TempPathFactory, loaded: list[tuple[int, int]], files: list[tuple[int, int]]
) -> None:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"))
    held: dict[str, range] = {}
    for begin, length in files:
        range_ = LandedRange(*SOURCE, begin, begin + length, date(2026, 1, 31))
        path = settings.raw_dir / range_.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        held[range_.name] = range(begin, begin + length + 1)
    before = {offset for begin, length in loaded for offset in range(begin, begin + length + 1)}
    landed = {offset for offsets in held.values() for offset in offsets}
    plan = plan_loading(settings, {SOURCE: runs_of(before)} if before else {})
    brought = [
        offset
        for new in plan.new
        for offset in held[new.file.name]
        if not any(run.first <= offset <= run.last for run in new.loaded_before)
    ]
    assert sorted(brought) == sorted(landed - before)
    assert list(plan.loaded.get(SOURCE, [])) == runs_of(landed | before)
    assert list(plan.forgotten.get(SOURCE, [])) == runs_of(before - landed)
    for file in landed_files(LocalStore(settings.raw_dir), SOURCE.topic):
        assert holds(plan.loaded, file)
        assert holds({SOURCE: runs_of(before)}, file) == (set(held[file.name]) <= before)


def runs_of(offsets: set[int]) -> list[Run]:
    runs: list[Run] = []
    for offset in sorted(offsets):
        if runs and runs[-1].last == offset - 1:
            runs[-1] = Run(runs[-1].first, offset)
        else:
            runs.append(Run(offset, offset))
    return runs
