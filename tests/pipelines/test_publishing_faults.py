"""Readers, writing analysts and killed publishers around the published file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.settings import Settings
from pipelines.publishing import current_version
from tests.builds import build_of, models_read_once, run_build
from tests.publications import AS_OF, build_and_publish, newest_build, publish_now, published
from tests.raw_events import simulated_events

CLI = Path(sys.executable).with_name("duckdb")


@pytest.fixture(scope="module", autouse=True)
def _models_are_read_once() -> Iterator[None]:
    with models_read_once():
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One build, not published; nobody writes to it."""
    return build_of(tmp_path_factory.mktemp("built"), simulated_events(users=3, days=1), AS_OF)


@pytest.fixture
def settings(built: Settings, tmp_path: Path) -> Settings:
    """A copy of the build, to publish."""
    shutil.copytree(built.data_dir, tmp_path / "data")
    return Settings(data_dir=tmp_path / "data")


PUBLISH_TEN_TIMES = """
import functools, sys
from datetime import UTC, datetime
from pathlib import Path
from ingest.settings import Settings
from pipelines import warehouse
from pipelines.database import build_lock
from pipelines.publishing import publish
from tests.raw_events import Event, land

warehouse.load_models = functools.cache(warehouse.load_models)
settings = Settings(data_dir=Path(sys.argv[1]))
for number in range(10):
    moment = datetime(2026, 1, 9, number, tzinfo=UTC)
    window = {"event": "INFERENCE_COMPLETE", "session_id": str(number), "sleep_stages": [1] * 10}
    land(settings, [Event(body=window, user_id="late", received_at=moment)])
    with build_lock(settings):
        warehouse.build(settings, as_of=moment, full=number == 5)
        publish(settings)
"""

COUNTS = (
    "select (select max(build_id) from build_info), (select arg_max(row_counts, build_id) from build_info),"
    " (select count(*) from sessions), (select count(*) from int_session_epochs),"
    " (select count(*) from int_stage_runs), (select count(*) from stg_events),"
    " (select count(distinct (user_id, session_id)) from stage_timelines)"
)


def test_readers_see_one_whole_build_at_any_moment_while_others_are_published(settings: Settings) -> None:
    publish_now(settings)
    seen: list[int] = []
    command = [sys.executable, "-c", PUBLISH_TEN_TIMES, str(settings.data_dir)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as builder:
        try:
            while builder.poll() is None or len(seen) < 30:
                [(build_id, row_counts, *counts, timelines)] = published(settings, COUNTS)
                tables = ("sessions", "int_session_epochs", "int_stage_runs", "stg_events")
                assert counts == [json.loads(str(row_counts))[table] for table in tables]
                assert timelines == counts[1]
                seen.append(int(str(build_id)))
        finally:
            builder.kill()
    assert builder.returncode == 0
    assert seen == sorted(seen)
    assert len(set(seen)) > 3, "the reader was too slow to see the builds go by"
    assert newest_build(settings) == 11


# An analyst's notebook: opens the published file for writing, commits, and dies without closing.
WRITE_AND_DIE = """
import os, signal, sys
import duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("set wal_autocheckpoint = '1TB'")
connection.execute("create table mine as select * from sessions")
connection.execute("delete from sessions")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_analyst_who_writes_to_a_version_and_crashes_poisons_no_other(settings: Settings) -> None:
    path = publish_now(settings)
    path.chmod(0o644)
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, settings.published_path], check=False, timeout=60)
    assert path.with_name("warehouse.duckdb.wal").exists()
    build_and_publish(settings)
    [(sessions, has_mine)] = published(
        settings,
        "select (select count(*) from sessions),"
        " (select count(*) > 0 from duckdb_tables() where table_name = 'mine')",
    )
    assert sessions
    assert not has_mine
    assert newest_build(settings) == 2


PUBLISH_AND_STOP = """
import sys, threading
from pathlib import Path
from ingest.settings import Settings
from pipelines import publishing
from pipelines.database import build_lock

def stop(*_):
    print("there", flush=True)
    threading.Event().wait(60)

if sys.argv[2] == "before the new symlink":
    publishing.point_to = stop
else:
    Path.replace = stop
settings = Settings(data_dir=Path(sys.argv[1]))
with build_lock(settings):
    publishing.publish(settings)
"""


def publish_and_be_killed(step: str, settings: Settings) -> None:
    command = [sys.executable, "-c", PUBLISH_AND_STOP, str(settings.data_dir), step]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "there\n"
        finally:
            child.kill()


@pytest.mark.parametrize("step", ["before the new symlink", "before its rename"])
def test_a_publisher_killed_before_the_swing_leaves_the_old_version(step: str, settings: Settings) -> None:
    publish_now(settings)
    run_build(settings, AS_OF)
    publish_and_be_killed(step, settings)
    assert newest_build(settings) == current_version(settings) == 1
    publish_now(settings)
    assert newest_build(settings) == current_version(settings) == 2
    assert not list(settings.data_dir.glob(".*"))
