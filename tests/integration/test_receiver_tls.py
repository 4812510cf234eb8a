"""Who calls, and how it comes: over TLS by the settings, from a proxy that is trusted or not."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ingest.records import Header, Topic
from ingest.settings import Settings
from tests.integration.receiver_process import (
    KEY,
    ReceiverProcess,
    run_to_its_end,
    running_receiver,
    stored,
    wait_until,
)

EVENT = b'{"event":"INFERENCE_COMPLETE","session_id":"tls"}'


class Certificate(NamedTuple):
    certificate: Path
    key: Path
    trust: ssl.SSLContext


def certificate_in(folder: Path) -> Certificate:
    """A certificate of this address, its key, and what trusts it."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    return Certificate(certificate, key, trust)


def settings_in(folder: Path, certificate: Path, key: Path) -> Settings:
    return Settings(data_dir=folder / "data", tls_certificate_file=certificate, tls_key_file=key)


@pytest.mark.parametrize("workers", [1, 2])
def test_with_a_certificate_it_speaks_https_and_nothing_else(tmp_path: Path, workers: int) -> None:
    certificate, key, trust = certificate_in(tmp_path)
    settings = settings_in(tmp_path, certificate, key)
    receiver = ReceiverProcess.start(settings, workers=workers)
    try:
        address = f"https://127.0.0.1:{receiver.port}"
        with httpx.Client(verify=trust, base_url=address, timeout=30) as client:
            wait_until(lambda: client.get("/readyz").status_code == 200, "a ready receiver")
            reply = client.post("/webhook", content=EVENT, headers={"x-api-key": KEY})
        assert reply.status_code == 200
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"{address}/healthz")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{receiver.port}/healthz")
        assert receiver.terminate() == 0
    finally:
        if receiver.alive:
            receiver.kill()
    assert receiver.errors == []


def _missing(files: Certificate) -> str:
    files.certificate.unlink()
    return "ASLEEP_TLS_CERTIFICATE_FILE: can not read"


def _no_pem(files: Certificate) -> str:
    files.certificate.write_text("no certificate")
    return "ASLEEP_TLS_CERTIFICATE_FILE and ASLEEP_TLS_KEY_FILE"


def _key_of_another(files: Certificate) -> str:
    files.key.write_bytes(trustme.CA().issue_cert("127.0.0.1").private_key_pem.bytes())
    return "ASLEEP_TLS_CERTIFICATE_FILE and ASLEEP_TLS_KEY_FILE"


def _key_with_a_password(files: Certificate) -> str:
    key = load_pem_private_key(files.key.read_bytes(), None)
    hidden = BestAvailableEncryption(b"password")
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden))
    return "ASLEEP_TLS_KEY_FILE: the key has a password"


@pytest.mark.parametrize("spoil", [_missing, _no_pem, _key_of_another, _key_with_a_password])
def test_files_that_are_no_certificate_and_key_end_it_before_it_listens(
    tmp_path: Path, spoil: Callable[[Certificate], str]
) -> None:
    files = certificate_in(tmp_path)
    named = spoil(files)
    ended = run_to_its_end(settings_in(tmp_path, files.certificate, files.key))
    assert ended.returncode != 0
    assert named in ended.stderr
    assert "receiver listening" not in ended.stderr


@pytest.mark.parametrize("entry", ["proxy.example", "10.0.0.1/8", "*", "10.0.0.0/33"])
def test_a_proxy_that_is_no_address_ends_it_before_it_listens(tmp_path: Path, entry: str) -> None:
    ended = run_to_its_end(Settings(data_dir=tmp_path, trusted_proxies=("127.0.0.1", entry)))
    assert ended.returncode != 0
    said = ended.stderr.splitlines()[-1]
    assert "ASLEEP_TRUSTED_PROXIES" in said
    assert entry in said
    assert "receiver listening" not in ended.stderr


FROM_A_PROXY = [
    (["203.0.113.9"], b"203.0.113.9"),
    (["198.51.100.1, 203.0.113.9"], b"203.0.113.9"),
    (["198.51.100.1, 203.0.113.9, 10.1.2.3"], b"203.0.113.9"),
    (["198.51.100.1", "203.0.113.9"], b"203.0.113.9"),
    (["2001:db8::9"], b"2001:db8::9"),
    ([], b"127.0.0.1"),
]
FROM_ANYBODY = [(forwarded, b"127.0.0.1") for forwarded, _ in FROM_A_PROXY]


@pytest.mark.parametrize(
    ("trusted", "calls"),
    [
        ((), FROM_ANYBODY),
        (("10.0.0.0/8",), FROM_ANYBODY),
        (("127.0.0.1", "10.0.0.0/8"), FROM_A_PROXY),
    ],
    ids=["nobody is trusted", "another is trusted", "this one is trusted"],
)
def test_the_address_that_counts_is_the_last_one_that_is_not_a_trusted_proxy(
    tmp_path: Path, trusted: tuple[str, ...], calls: list[tuple[list[str], bytes]]
) -> None:
    settings = Settings(data_dir=tmp_path, trusted_proxies=trusted)
    with running_receiver(settings) as receiver:
        receipts = []
        for forwarded, _ in calls:
            headers = [("x-api-key", KEY), *(("x-forwarded-for", value) for value in forwarded)]
            reply = httpx.post(f"{receiver.url}/webhook", content=EVENT, headers=headers, timeout=30)
            receipts.append(reply.json()["receipt_id"].encode())
    records = [dict(record.headers) for record in stored(settings, Topic.EVENTS)]
    counted = {names[Header.RECEIPT_ID]: names[Header.REMOTE_ADDRESS] for names in records}
    assert [counted[receipt] for receipt in receipts] == [counts for _, counts in calls]


def test_a_proxy_on_ipv4_is_trusted_on_a_socket_that_listens_on_ipv6_too(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, host="::", trusted_proxies=("127.0.0.1",))
    headers = {"x-api-key": KEY, "x-forwarded-for": "203.0.113.9"}
    with running_receiver(settings) as receiver:
        reply = httpx.post(f"{receiver.url}/webhook", content=EVENT, headers=headers, timeout=30)
        assert reply.status_code == 200
    (record,) = stored(settings, Topic.EVENTS)
    assert dict(record.headers)[Header.REMOTE_ADDRESS] == b"203.0.113.9"
