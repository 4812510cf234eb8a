"""A bucket whose replies are lost: what was created by a call is that call's, whoever asks again."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import httpx
import pytest

from ingest.raw_store.base import StoreUnavailable
from ingest.raw_store.objects import ObjectStore
from tests.s3_server import S3Server

How = Literal["an error in its place", "a cut connection", "a conflict", "none"]


class _Forwards(BaseHTTPRequestHandler):
    """Forwards calls to a server, and loses its first reply to the creation of an object."""

    protocol_version = "HTTP/1.1"
    server: _Proxy

    def _forward(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.command == "PUT" and self.server.how == "a conflict":
            self.send_response(409)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        if self.command == "PUT":
            time.sleep(self.server.delay_seconds)
        given = httpx.request(
            self.command, self.server.to + self.path, content=content, headers=dict(self.headers), timeout=30
        )
        is_lost = self._is_to_be_lost(given)
        if is_lost:
            self.server.lost = True
            if self.server.how == "a cut connection":
                self.close_connection = True
                return
        self.send_response(503 if is_lost else given.status_code)
        for name, value in given.headers.items():
            if name not in {"connection", "content-length", "date", "server", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("content-length", "0" if is_lost else given.headers.get("content-length", "0"))
        self.end_headers()
        if not is_lost and self.command != "HEAD":
            self.wfile.write(given.content)

    def _is_to_be_lost(self, given: httpx.Response) -> bool:
        is_first = self.command == "PUT" and given.status_code == 200 and not self.server.lost
        return is_first and self.server.how != "none"

    do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = _forward  # noqa: N815  the base class names them so

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  the base class names it so
        """Nothing."""


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, to: str, how: How) -> None:
        super().__init__(("127.0.0.1", 0), _Forwards)
        self.to = to
        self.how = how
        self.lost = False
        self.delay_seconds = 0.0


@contextmanager
def losing_a_reply(to: str, how: How) -> Iterator[_Proxy]:
    with _Proxy(to, how) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join(20)


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server.make_bucket(secrets.token_hex(8))


@contextmanager
def store_behind(
    s3: S3Server, how: How, bucket: str, patch: pytest.MonkeyPatch
) -> Iterator[tuple[ObjectStore, _Proxy]]:
    """The store of a bucket behind a proxy, and the proxy."""
    with losing_a_reply(s3.endpoint, how) as proxy:
        host, port = proxy.server_address[:2]
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host!s}:{port}")
        yield ObjectStore(bucket), proxy


def create(store: ObjectStore) -> int:
    return store.create("a", lambda file: file.write(b"content"), lambda: None, alone_in="")


@pytest.mark.parametrize("how", ["an error in its place", "a cut connection"])
def test_a_file_whose_creation_was_answered_in_vain_is_created_and_not_taken_by_another(
    s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch, how: How
) -> None:
    with store_behind(s3_server, how, bucket, monkeypatch) as (store, proxy):
        assert create(store) == 7
        assert proxy.lost
        with pytest.raises(FileExistsError):
            create(store)
        with store.open("a") as file:
            assert file.read() == b"content"


def test_a_conflict_with_nobody_is_neither_a_file_that_exists_nor_one_that_is_missing(
    s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        store_behind(s3_server, "a conflict", bucket, monkeypatch) as (store, _),
        pytest.raises(StoreUnavailable),
    ):
        create(store)


def test_a_large_object_is_given_the_time_that_a_slow_link_takes(
    s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.raw_store.objects._REQUEST_SECONDS", 1)
    with store_behind(s3_server, "none", bucket, monkeypatch) as (store, proxy):
        proxy.delay_seconds = 1.5
        with pytest.raises(StoreUnavailable):
            create(store)
        monkeypatch.setattr("ingest.raw_store.objects._BYTES_PER_SECOND", 0.25)
        assert store.create("b", lambda file: file.write(b"content"), lambda: None, alone_in="") == 7
