"""Builds that are killed, that find their database lost or taken, and users files as people write them."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.settings import Settings
from pipelines.database import BuildError, build_lock, build_path
from pipelines.publishing import publish
from pipelines.warehouse import build
from tests.builds import (
    build_of,
    different_rows,
    models_read_once,
    rows,
    run_build,
    settings_for,
    table_names,
)
from tests.raw_events import Event, land, simulated_events

AS_OF = datetime(2026, 1, 10, tzinfo=UTC)
PATIENCE_SECONDS = 60
OF_THE_BUILD_ITSELF = {"loaded_offsets", "raw_files", "build_info"}


@pytest.fixture(scope="module", autouse=True)
def _models_are_read_once() -> Iterator[None]:
    with models_read_once():
        yield


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return simulated_events(users=5, days=1)


@pytest.fixture(scope="module")
def built(events: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One full build of all events; nobody writes to it."""
    return build_of(tmp_path_factory.mktemp("built"), events, AS_OF)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


STOP_AT = """
import sys, threading
from datetime import datetime
from pathlib import Path
from ingest.settings import Settings
from pipelines.database import build_lock
from pipelines.warehouse import build

def progress(what):
    if what == sys.argv[3]:
        print("there", flush=True)
        threading.Event().wait(60)

settings = Settings(data_dir=Path(sys.argv[1]))
with build_lock(settings):
    build(settings, full=sys.argv[4] == "full", as_of=datetime.fromisoformat(sys.argv[2]), progress=progress)
"""


@pytest.mark.parametrize(("stop_at", "kind"), [("weekly_trends", "incremental"), ("checks", "full")])
def test_a_build_killed_in_mid_transaction_leaves_nothing_behind(
    stop_at: str, kind: str, events: list[Event], built: Settings, settings: Settings
) -> None:
    land(settings, events[: len(events) // 2])
    run_build(settings, AS_OF)
    before = build_path(settings).with_name("before.duckdb")
    shutil.copyfile(build_path(settings), before)
    land(settings, events[len(events) // 2 :])
    arguments = [str(settings.data_dir), AS_OF.isoformat(), stop_at, kind]
    with subprocess.Popen(
        [sys.executable, "-c", STOP_AT, *arguments], stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "there\n"
        finally:
            child.kill()
    assert not different_rows(before, build_path(settings), [*table_names(), *OF_THE_BUILD_ITSELF], but=())
    assert run_build(settings, AS_OF).new_files == 1
    assert not different_rows(build_path(built), build_path(settings), table_names())


def test_a_lost_build_database_is_made_anew_under_a_new_number(
    events: list[Event], settings: Settings
) -> None:
    land(settings, events)
    for _ in range(2):
        run_build(settings, AS_OF)
        with build_lock(settings):
            publish(settings)
    build_path(settings).unlink()
    assert run_build(settings, AS_OF).build_id == 3


def test_a_build_database_that_can_not_be_read_is_made_anew(
    events: list[Event], built: Settings, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    land(settings, events)
    settings.warehouse_dir.mkdir(parents=True)
    build_path(settings).write_bytes(b"no database" * 1000)
    with caplog.at_level(logging.WARNING):
        assert run_build(settings, AS_OF).is_full
    assert "can not be read" in caplog.text
    assert not different_rows(build_path(built), build_path(settings), table_names())


def test_a_build_waits_for_the_one_that_is_running(settings: Settings) -> None:
    done: list[int] = []
    waiting = threading.Thread(target=lambda: done.append(run_build(settings, AS_OF).build_id))
    with build_lock(settings):
        waiting.start()
        own = build(settings, as_of=AS_OF).build_id
        assert not done
    waiting.join(PATIENCE_SECONDS)
    assert (own, done) == (1, [2])


ODD_USERS = """\
USER_ID,Birth_Year,gender,signup_date,plan
a,19x0, Female ,2026-13-01,gold
b,1980
c,1990,male,2026-01-05,silver,more,and more

"d, the ""fourth"" one",,,,
 e ,2001,,,
#f,1999,,,
a,1985,,,
,1970,,,
"""


def test_odd_lines_of_the_users_file_stop_nothing(events: list[Event], tmp_path: Path) -> None:
    settings = settings_for(tmp_path, ODD_USERS)
    land(settings, events)
    run_build(settings, AS_OF)
    known = rows(
        settings, "select user_id, birth_year, gender, signup_date::varchar from users where is_known"
    )
    assert sorted(known) == [
        ("#f", 1999, None, None),
        ("a", None, "female", None),
        ("b", 1980, None, None),
        ("c", 1990, "male", "2026-01-05"),
        ('d, the "fourth" one', None, None, None),
        ("e", 2001, None, None),
    ]
    [(attributes,)] = rows(settings, "select attributes from users where user_id = 'a'")
    assert json.loads(attributes)["birth_year"] == "19x0"
    assert json.loads(attributes)["plan"] == "gold"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no file"),
        (b"", "has no column user_id"),
        (b"id,birth_year\na,1990\n", "has no column user_id, only id, birth_year"),
        (b"user_id;birth_year\na;1990\n", "has no column user_id"),
        (b'user_id,name\na,"Ann\nb,Ben\n', "line 3"),
        ("user_id,name\na,Jürgen\n".encode("latin-1"), "not UTF-8"),
    ],
)
def test_a_users_file_of_which_no_rows_can_be_made_is_a_clear_error(
    content: bytes | None, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "users.csv"
    if content is not None:
        path.write_bytes(content)
    settings = Settings(data_dir=tmp_path / "data", users_file=path)
    with pytest.raises(BuildError, match=f"ASLEEP_USERS_FILE.*{complaint}"):
        run_build(settings, AS_OF)


def test_a_build_that_failed_does_not_stop_the_next(
    events: list[Event], built: Settings, tmp_path: Path
) -> None:
    without = Settings(data_dir=tmp_path / "data")
    land(without, events)
    run_build(without, AS_OF)
    with pytest.raises(BuildError):
        run_build(without.model_copy(update={"users_file": tmp_path / "none.csv"}), AS_OF)
    run_build(without, AS_OF)
    assert not different_rows(build_path(built), build_path(without), table_names())
