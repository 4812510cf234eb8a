"""`asleep verify`, `compact` and `retire`: what they print, and how they end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import orjson
import pytest
from typer.testing import CliRunner, Result

from ingest.event_log.base import LogUnavailable
from ingest.raw_store.local import LocalStore
from pipelines.cli import app
from tests.unit.memory_landing import path_of
from tests.unit.raw_worlds import DAY, LOG_ID, all_files, log_of, put, put_small_ones, ranges


@pytest.fixture(autouse=True)
def _folder_and_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASLEEP_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("ingest.verify.open_reader", lambda *given: log_of(tmp_path).connect(*given[-2:]))


def asleep(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def publish_as_loaded(tmp_path: Path, first: int, last: int) -> None:
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute(
            "create table loaded_offsets (topic varchar, log_id varchar, log_partition integer,"
            " first_offset bigint, last_offset bigint)"
        )
        connection.execute(
            "insert into loaded_offsets values ('asleep.events', ?, 0, ?, ?)", [LOG_ID, first, last]
        )


def test_verify_ends_with_0_where_all_is_well_and_with_1_where_something_is_missing(tmp_path: Path) -> None:
    files = put_small_ones(tmp_path, 3)
    ended = asleep("verify", "--deep")
    assert (ended.exit_code, "accepted = landed" in ended.output) == (0, True)
    path_of(tmp_path, files[1]).unlink()
    ended = asleep("verify")
    assert (ended.exit_code, "in no file" in ended.output, "not proved" in ended.output) == (1, True, True)


def test_verify_says_the_same_as_json(tmp_path: Path) -> None:
    files = put_small_ones(tmp_path, 3)
    ended = asleep("verify", "--json")
    assert (ended.exit_code, orjson.loads(ended.stdout)["verdict"]) == (0, "well")
    path_of(tmp_path, files[1]).unlink()
    ended = asleep("verify", "--json")
    assert (ended.exit_code, orjson.loads(ended.stdout)["verdict"]) == (1, "problems")


def test_verify_ends_with_2_where_the_log_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise LogUnavailable("the broker is away")

    monkeypatch.setattr("ingest.verify.open_reader", refuse)
    ended = asleep("verify")
    assert (ended.exit_code, "the broker is away" in ended.stderr) == (2, True)
    ended = asleep("verify", "--json")
    said = orjson.loads(ended.stdout)
    assert (ended.exit_code, said["verdict"]) == (2, "unknown")
    assert "the broker is away" in said["problems"][0]


def test_verify_ends_with_2_where_the_files_are_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionError("the bucket is away")

    monkeypatch.setattr(LocalStore, "names", refuse)
    ended = asleep("verify", "--json")
    assert (ended.exit_code, orjson.loads(ended.stdout)["verdict"]) == (2, "unknown")


def test_compact_says_what_it_joined_and_ends_with_0(tmp_path: Path) -> None:
    put_small_ones(tmp_path, 5)
    ended = asleep("compact")
    assert ended.exit_code == 0, ended.output
    assert "5 files before, 2 now: 4 with" in ended.stdout
    assert ranges(tmp_path) == [(0, 11), (12, 14)]


def test_compact_names_what_it_left_alone_and_ends_with_1(tmp_path: Path) -> None:
    files = put_small_ones(tmp_path, 4)
    path_of(tmp_path, files[1]).write_bytes(b"no parquet")
    ended = asleep("compact")
    assert (ended.exit_code, files[1].name in ended.stderr) == (1, True)


def test_compact_ends_with_2_where_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    files = put_small_ones(tmp_path, 4)
    monkeypatch.setattr(LocalStore, "create", refuse)
    ended = asleep("compact")
    assert (ended.exit_code, "No space left" in ended.stderr) == (2, True)
    assert all_files(tmp_path) == files


def test_retire_removes_nothing_unless_it_is_told_how_long_to_keep(tmp_path: Path) -> None:
    files = put_small_ones(tmp_path, 3)
    ended = asleep("retire")
    assert (ended.exit_code, "ASLEEP_KEEP_EVENTS_DAYS" in ended.stdout) == (0, True)
    assert all_files(tmp_path) == files


def test_retire_removes_what_the_published_warehouse_holds_and_tells_what_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        put(tmp_path, 3 * number, 3 * number + 2, day=DAY + timedelta(days=number))
    monkeypatch.setenv("ASLEEP_KEEP_EVENTS_DAYS", "1")
    ended = asleep("retire")
    assert (ended.exit_code, "not in the published warehouse" in ended.stderr) == (1, True)
    assert len(all_files(tmp_path)) == 4
    publish_as_loaded(tmp_path, 0, 5)
    ended = asleep("retire")
    assert (ended.exit_code, "asleep.events: 2 files removed" in ended.stdout) == (1, True)
    assert ranges(tmp_path) == [(6, 8), (9, 11)]
    assert asleep("verify", "--deep").exit_code == 0


def test_retire_that_can_not_read_the_published_warehouse_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASLEEP_KEEP_EVENTS_DAYS", "3")
    published = tmp_path / "warehouse.duckdb"
    published.write_bytes(b"no database" * 1000)
    ended = asleep("retire")
    assert ended.exit_code == 2
    assert f"{published}: what it holds can not be read" in ended.stderr
