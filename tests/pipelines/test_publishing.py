"""Publishing: analysts see one whole, proved build at any moment, whatever they or a crash do to it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import duckdb
import pytest

from ingest.settings import Settings
from pipelines.database import build_path, published_versions, versions_dir
from pipelines.publishing import PublishError, current_version, point_to
from tests.builds import build_of, models_read_once, run_build
from tests.publications import AS_OF, build_and_publish, newest_build, publish_now, published
from tests.raw_events import Event, land, simulated_events

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


def test_a_published_version_is_a_read_only_copy_behind_one_symlink(settings: Settings) -> None:
    assert current_version(settings) is None
    path = publish_now(settings)
    assert path == versions_dir(settings) / "00000001" / "warehouse.duckdb"
    assert path.read_bytes() == build_path(settings).read_bytes()
    assert S_IMODE(path.stat().st_mode) == 0o444
    assert settings.published_path.is_symlink()
    assert not settings.published_path.readlink().is_absolute()
    assert settings.published_path.resolve() == path.resolve()
    assert current_version(settings) == 1


def test_a_client_of_duckdb_1_5_opens_what_is_published(settings: Settings) -> None:
    publish_now(settings)
    query = (
        "select count(*) as sessions, (select count(*) from stage_timelines) as epochs,"
        " (select count(*) from webhook_attempts) as attempts, version() as version from sessions"
    )
    command = [str(CLI), "-readonly", "-json", str(settings.published_path), query]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    [row] = json.loads(answer.stdout)
    assert row.pop("version").startswith("v1.5.")
    [(sessions, epochs, attempts)] = published(
        settings,
        "select (select count(*) from sessions), (select count(*) from stage_timelines),"
        " (select count(*) from webhook_attempts)",
    )
    assert row == {"sessions": sessions, "epochs": epochs, "attempts": attempts}
    assert sessions


# Lands, builds and publishes again and again, ten times.
def test_the_last_versions_are_kept(settings: Settings) -> None:
    keep_two = settings.model_copy(update={"keep_versions": 2})
    publish_now(keep_two)
    for _ in range(3):
        build_and_publish(keep_two)
    assert published_versions(keep_two) == [3, 4]
    assert current_version(keep_two) == 4


def test_pointing_to_an_older_version_rolls_back_and_the_next_publish_goes_on(settings: Settings) -> None:
    publish_now(settings)
    build_and_publish(settings)
    point_to(settings, 1)
    assert newest_build(settings) == current_version(settings) == 1
    build_and_publish(settings)
    assert newest_build(settings) == current_version(settings) == 3
    assert published_versions(settings) == [1, 2, 3]


def test_a_version_that_analysts_see_is_never_dropped(settings: Settings) -> None:
    keep_one = settings.model_copy(update={"keep_versions": 1})
    publish_now(settings)
    build_and_publish(settings)
    point_to(settings, 1)
    run_build(keep_one, AS_OF)
    with duckdb.connect(settings.published_path, read_only=True) as reader:
        publish_now(keep_one)
        assert reader.sql("select count(*) from sessions").fetchall()[0][0]
    assert published_versions(settings) == [3]


def test_pointing_to_a_version_that_is_gone_names_those_that_are_there(settings: Settings) -> None:
    publish_now(settings)
    with pytest.raises(PublishError, match=r"no version 7; on disk: \[1\]"):
        point_to(settings, 7)
    assert current_version(settings) == 1


def test_publishing_the_same_build_again_leaves_the_version_as_it_is(settings: Settings) -> None:
    inode = publish_now(settings).stat().st_ino
    assert publish_now(settings).stat().st_ino == inode


def test_a_build_made_anew_after_a_loss_is_published(settings: Settings) -> None:
    publish_now(settings)
    build_path(settings).unlink()
    window = {
        "event": "INFERENCE_COMPLETE",
        "session_id": "new",
        "inference_seq_num": 0,
        "sleep_stages": [1] * 10,
    }
    land(settings, [Event(body=window, user_id="new", received_at=AS_OF)])
    build_and_publish(settings)
    assert published(settings, "select count(*) from sessions where user_id = 'new'") == [(1,)]


def test_a_failed_blocking_check_keeps_the_version_that_was_there(settings: Settings) -> None:
    publish_now(settings)
    run_build(settings, AS_OF)
    with duckdb.connect(build_path(settings)) as connection:
        connection.execute("insert into sessions select * from sessions limit 1")
    with pytest.raises(PublishError, match=r"sessions\.unique_key \(1 rows\)"):
        publish_now(settings)
    assert published_versions(settings) == [1]
    assert newest_build(settings) == 1


def test_a_build_that_was_not_closed_is_not_published(settings: Settings) -> None:
    build_path(settings).with_name("build.duckdb.wal").write_bytes(b"something")
    with pytest.raises(PublishError, match="not closed cleanly"):
        publish_now(settings)
    assert current_version(settings) is None


def test_nothing_to_publish_is_said(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="build before publishing"):
        publish_now(Settings(data_dir=tmp_path / "data"))


# Publishes, and waits for its end just before the symlink is swung.
