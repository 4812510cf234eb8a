"""Looks at the pages of a lander that runs in a thread of the test, and at its disk."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from errno import ENOSPC
from http.client import HTTPConnection
from typing import Any, BinaryIO

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ingest.durable_files import FileOperations
from tests.unit.memory_landing import logged, wait_until


class Pages:
    """The pages of the lander that logged last where it listens."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def port(self) -> int:
        wait_until(lambda: logged(self._caplog, "lander listening"))
        return int(str(logged(self._caplog, "lander listening")[-1]["port"]))

    def get(self, page: str, method: str = "GET") -> tuple[int, str]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, page)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()

    def readyz(self) -> tuple[int, dict[str, Any]]:
        status, text = self.get("/readyz")
        return status, json.loads(text)

    def problems(self) -> dict[str, str]:
        """What /readyz names; nothing while it answers 200."""
        status, told = self.readyz()
        problems: dict[str, str] = told.get("problems", {})
        assert (status, told["status"]) == ((503, "not_ready") if problems else (200, "ready"))
        return problems

    def number(self, name: str, *labels: object) -> float | None:
        """A sample by its name without `asleep_lander_` and its labels' values; None without one."""
        wanted = sorted(map(str, labels))
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                if (sample.name, sorted(sample.labels.values())) == (f"asleep_lander_{name}", wanted):
                    return sample.value
        return None


class Disk(FileOperations):
    """Refuses files while it is `full`; otherwise keeps whoever writes waiting while it `hangs`."""

    def __init__(self) -> None:
        self.full = False
        self.answers = threading.Event()
        self.answers.set()
        self.asked = threading.Event()

    def sync(self, file: BinaryIO) -> None:
        self.asked.set()
        assert self.answers.wait(20)
        if self.full:
            raise OSError(ENOSPC, "No space left on device")
        super().sync(file)
