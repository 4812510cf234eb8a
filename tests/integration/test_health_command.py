"""What `asleep health` makes of the answers of a receiver or a lander."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
import typer
from typer.testing import CliRunner

from ingest.settings import Settings
from pipelines.commands.health import Part, health, problem

READY = {"status": "ready"}
DEGRADED = {"status": "degraded", "problems": {"event_log": "no broker answers"}}
NOT_READY = {"status": "not_ready", "problems": {"spool": "the disk is full"}}

Asked = Callable[[int, dict[str, Any]], tuple[int, str]]


@contextmanager
def _receiver(status: int, answer: dict[str, Any], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on a free port that says this at /readyz; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            """Nothing: the test looks at the command's own words."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(timeout=10)


def _settings(port: int, tmp_path: Path, **changes: Any) -> Settings:
    return Settings(host="127.0.0.1", port=port, data_dir=tmp_path, **changes)


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """Exit code and words of the command before a receiver that answers so."""

    def ask(status: int, answer: dict[str, Any]) -> tuple[int, str]:
        app = typer.Typer()
        app.command()(health)
        with _receiver(status, answer) as port:
            environment = _settings(port, tmp_path).environment()
            result = CliRunner().invoke(app, ["receiver"], env=environment)
        return result.exit_code, result.output

    return ask


def test_a_ready_receiver_is_well(asked: Asked) -> None:
    assert asked(200, READY) == (0, "receiver: well\n")


def test_a_degraded_receiver_takes_calls_so_that_nothing_restarts_it_but_says_what_is_wrong(
    asked: Asked,
) -> None:
    code, words = asked(200, DEGRADED)
    assert code == 0
    assert "degraded" in words
    assert "no broker answers" in words


def test_a_receiver_that_takes_no_calls_is_not_well(asked: Asked) -> None:
    code, words = asked(503, NOT_READY)
    assert code == 1
    assert "503" in words
    assert "the disk is full" in words


def test_a_receiver_that_is_not_there_is_not_well(tmp_path: Path) -> None:
    with _receiver(200, READY) as port:
        pass
    assert "refused" in str(problem(Part.RECEIVER, _settings(port, tmp_path)))


def test_a_receiver_that_speaks_https_is_asked_in_https(tmp_path: Path) -> None:
    certificate = trustme.CA().issue_cert("webhook.example.org")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(chain)
    certificate.private_key_pem.write_to_path(key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(tls)
    with _receiver(200, READY, tls) as port:
        settings = _settings(port, tmp_path, tls_certificate_file=chain, tls_key_file=key)
        assert problem(Part.RECEIVER, settings) is None
        assert problem(Part.RECEIVER, _settings(port, tmp_path)) is not None


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_lander_is_asked_at_its_own_port_whatever_it_listens_on(host: str, tmp_path: Path) -> None:
    with _receiver(200, READY) as port:
        assert problem(Part.LANDER, _settings(1, tmp_path, lander_host=host, lander_port=port)) is None
    with _receiver(503, {"status": "not_ready", "problems": {"raw_files": "no room"}}) as port:
        found = problem(Part.LANDER, _settings(1, tmp_path, lander_host=host, lander_port=port))
        assert "no room" in str(found)


def test_something_else_that_listens_there_is_told_from_a_receiver(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def greet() -> None:
            caller, _ = listener.accept()
            with caller:
                caller.recv(1000)
                caller.sendall(b"SSH-2.0-other\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        found = problem(Part.RECEIVER, _settings(listener.getsockname()[1], tmp_path)) or ""
        thread.join(timeout=10)
    assert "does not answer in HTTP" in found
    assert "SSH-2.0-other" in found
