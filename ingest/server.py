"""Runs the receiver's application: in one process or in several, with TLS, behind a proxy or not."""

from __future__ import annotations

import ipaddress
import logging
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from ingest.authentication import ApiKeys
from ingest.http1 import Http1Protocol
from ingest.known_users import KnownUsers
from ingest.metrics.folders import own_folder
from ingest.receiver import create_app
from ingest.settings import Settings, WrongSetting
from ingest.signatures import Signatures
from ingest.supervisor import Supervisor
from ingest.telemetry import log_event, logging_config
from ingest.worker import work

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than the 60 s after which the usual proxies give up an idle connection themselves."""
SHUTDOWN_GRACE_SECONDS: Final = 10
"""Beyond the append time-out: how long calls in flight may take to finish after SIGTERM."""

_log = logging.getLogger(__name__)


def serve(settings: Settings, *, workers: int) -> None:
    """Serve until SIGTERM or SIGINT, with `workers` processes; calls in flight are finished first.

    Raises WrongSetting before anything listens, as when no key is configured, and SystemExit when the
    address can not be listened on or the application does not start.
    """
    check_receiver(settings)
    with ExitStack() as stack:
        metrics_folder = (
            stack.enter_context(own_folder(settings.data_dir / "metrics")) if workers > 1 else None
        )
        app = partial(create_app, settings, metrics_folder=metrics_folder)
        config = server_config(settings, app, workers=workers)
        log_event(_log, logging.INFO, "receiver starting", workers=workers, settings=settings.masked())
        listener = config.bind_socket()
        listener.listen(config.backlog)
        host, port = listener.getsockname()[:2]
        log_event(_log, logging.INFO, "receiver listening", host=host, port=port)
        if workers == 1:
            work(config, settings, listener)
        else:
            Supervisor(config, settings, listener, workers).run()


def check_receiver(settings: Settings) -> None:
    """Raise WrongSetting where no receiver can be made of the settings."""
    ApiKeys(settings.api_keys)
    Signatures(settings)
    KnownUsers(settings)
    _check_tls(settings)
    _addresses_of_proxies(settings)


def server_config(settings: Settings, app: Callable[[], ASGIApp], *, workers: int = 1) -> uvicorn.Config:
    """How uvicorn runs the application that `app` makes; sets up the logs of this process.

    With several workers, `app` is pickled and called in each of them. Raises WrongSetting.
    """
    proxies = _addresses_of_proxies(settings)
    return uvicorn.Config(
        app,
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=workers,
        loop="uvloop",
        http=Http1Protocol,
        ws="none",
        lifespan="on",
        log_config=logging_config(settings.log_level),
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        ssl_certfile=settings.tls_certificate_file,
        ssl_keyfile=settings.tls_key_file,
        h11_max_incomplete_event_size=settings.max_header_bytes,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_SECONDS + round(settings.append_timeout_seconds),
    )


def _check_tls(settings: Settings) -> None:
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    if certificate is None or key is None:
        return
    for name, path in (("ASLEEP_TLS_CERTIFICATE_FILE", certificate), ("ASLEEP_TLS_KEY_FILE", key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise WrongSetting(f"{name}: can not read {path}: {error.strerror}") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, _no_password)
    except ssl.SSLError as error:
        raise WrongSetting(
            f"ASLEEP_TLS_CERTIFICATE_FILE and ASLEEP_TLS_KEY_FILE: {certificate} and {key} are not a "
            f"certificate and its private key in PEM: {error.reason}"
        ) from error


def _no_password() -> str:
    raise WrongSetting("ASLEEP_TLS_KEY_FILE: the key has a password; give a file without one")


def _addresses_of_proxies(settings: Settings) -> list[str]:
    """The trusted proxies, each IPv4 network also as a socket that listens on IPv6 sees it."""
    addresses: list[str] = []
    for entry in settings.trusted_proxies:
        try:
            network = ipaddress.ip_network(entry)
        except ValueError as error:
            raise WrongSetting(
                f"ASLEEP_TRUSTED_PROXIES: {error}; give addresses, or networks such as 10.0.0.0/8"
            ) from error
        addresses.append(str(network))
        if network.version == 4:
            addresses.append(f"::ffff:{network.network_address}/{96 + network.prefixlen}")
    return addresses
