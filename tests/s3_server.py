"""An S3 server on loopback, in a process of its own, and the variables by which a client finds it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

_PROGRAM = """
import signal
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
signal.pause()
"""


@dataclass(frozen=True)
class S3Server:
    """A server that is up; buckets are made by asking for them."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What a client must find in its environment."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_REGION": "us-east-1",
        }

    def make_bucket(self, name: str) -> str:
        """Make a bucket; returns its address."""
        httpx.put(f"{self.endpoint}/{name}", timeout=30).raise_for_status()
        return f"s3://{name}"


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """A server for as long as the block runs."""
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield S3Server(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.kill()
        process.communicate()
