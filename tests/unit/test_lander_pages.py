"""The server of the lander's pages: where it listens, and whom it outlives."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import ExitStack
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from ingest.lander import land
from ingest.settings import WrongSetting
from tests.unit.lander_looks import Pages
from tests.unit.memory_landing import land_once, landing_in_background, logged, settings_of, wait_until
from tests.unit.memory_reader import ReadableLog


@pytest.fixture
def pages(caplog: pytest.LogCaptureFixture) -> Pages:
    caplog.set_level(logging.INFO)
    return Pages(caplog)


def test_a_port_in_use_is_named_before_anything_is_landed(tmp_path: Path) -> None:
    log = ReadableLog()
    log.append(1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(WrongSetting, match=rf"ASLEEP_LANDER_PORT: can not listen on port {port} of 127"):
            land(settings_of(tmp_path, lander_port=port), connect=log.connect)
        assert log.opened == []
        assert land_once(tmp_path, log, lander_port=port) == 1


def test_a_host_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match=r"ASLEEP_LANDER_HOST: nowhere\.invalid is no address"):
        land(settings_of(tmp_path, lander_host="nowhere.invalid"), connect=ReadableLog().connect)


def test_the_port_is_free_again_after_a_stop(
    tmp_path: Path, pages: Pages, caplog: pytest.LogCaptureFixture
) -> None:
    with landing_in_background(settings_of(tmp_path), ReadableLog()):
        port = pages.port
        assert pages.get("/healthz")[0] == 200
    with landing_in_background(settings_of(tmp_path, lander_port=port), ReadableLog()):
        wait_until(lambda: len(logged(caplog, "lander listening")) == 2)
        assert pages.get("/healthz")[0] == 200


def test_other_pages_and_methods_are_refused(tmp_path: Path, pages: Pages) -> None:
    with landing_in_background(settings_of(tmp_path), ReadableLog()):
        assert pages.get("/")[0] == 404
        assert pages.get("/metrics", "POST")[0] == 501
        assert pages.get("/readyz?verbose")[0] == 503


def test_callers_that_say_nothing_stop_nobody_and_are_let_go(
    tmp_path: Path, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    with landing_in_background(settings_of(tmp_path), ReadableLog()), ExitStack() as open_ones:
        before = threading.active_count()
        slow = [
            open_ones.enter_context(socket.create_connection(("127.0.0.1", pages.port), timeout=20))
            for _ in range(100)
        ]
        for caller in slow:
            caller.sendall(b"GET /metrics HTTP/1.1\r\nhost: ")
        wait_until(lambda: threading.active_count() >= before + 100)
        assert pages.get("/healthz")[0] == 200
        monkeypatch.setattr("ingest.lander_pages.CONNECTION_SECONDS", 0.0)
        for caller in slow:
            while caller.recv(1000):
                pass
        wait_until(lambda: threading.active_count() < before + 5)
    assert not [thread for thread in threading.enumerate() if thread.name in {"pages", "log watch"}]


def test_a_caller_that_leaves_early_is_no_news(
    tmp_path: Path, pages: Pages, caplog: pytest.LogCaptureFixture
) -> None:
    with landing_in_background(settings_of(tmp_path), ReadableLog()):
        with socket.create_connection(("127.0.0.1", pages.port)) as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            caller.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert pages.get("/healthz")[0] == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_page_that_fails_is_logged_and_the_others_go_on(
    tmp_path: Path, pages: Pages, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("a fault of ours")

    with landing_in_background(settings_of(tmp_path), ReadableLog()):
        assert pages.get("/metrics")[0] == 200
        monkeypatch.setattr("ingest.lander_state.LanderState.pauses", fail)
        with pytest.raises(RemoteDisconnected):
            pages.get("/metrics")
        assert pages.get("/healthz")[0] == 200
    assert [fields["level"] for fields in logged(caplog, "a page could not be made")] == ["ERROR"]
