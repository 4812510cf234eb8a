"""The receiver held against its own description by schemathesis."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
import schemathesis
from hypothesis import Phase, given
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from ingest.event_log.base import LogUnavailable
from ingest.receiver import Receiver
from ingest.webhook import WEBHOOK_PATHS
from tests.unit.asgi_calls import KEY, receiver
from tests.unit.memory_log import MemoryLog

AUTHENTIC: Final = {"x-api-key": KEY}
SECRET: Final = "whsec_" + base64.b64encode(b"a secret of the tests, long enough").decode()
EXAMPLES: Final = 40


class Zipper:
    """A receiver, called by a client that does as its header says: a body sent as gzip is gzip."""

    receiver: Receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or b"gzip" not in dict(scope["headers"]).get(b"content-encoding", b""):
            await self.receiver(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        zipped = gzip.compress(body)
        MutableHeaders(scope=scope)["content-length"] = str(len(zipped))

        async def receive_zipped() -> Message:
            return {"type": "http.request", "body": zipped, "more_body": False}

        await self.receiver(scope, receive_zipped, send)


def described() -> Any:
    """The receiver's description of itself."""
    config = SchemathesisConfig.from_dict(
        {
            "seed": 20261123,
            "generation": {"deterministic": True, "database": "none", "max-examples": EXAMPLES},
            "phases": {"stateful": {"enabled": False}},
            # a thousand calls that tell nothing which those to the first path do not
            "operations": [{"include-path": WEBHOOK_PATHS[1], "phases": {"coverage": {"enabled": False}}}],
        }
    )
    schema = schemathesis.openapi.from_dict(receiver(MemoryLog()).openapi(), config=config)
    schema.app = Zipper()
    return schema


SCHEMA: Final = described()


@pytest.fixture(autouse=True)
def _receivers_stop() -> Iterator[None]:
    yield
    shutdown_lifespans()


@pytest.fixture
def _open_receiver(tmp_path: Path) -> None:
    """A receiver that asks for a key and nothing else, on a log that is well."""
    SCHEMA.app.receiver = receiver(MemoryLog(), data_dir=tmp_path)


@SCHEMA.parametrize()  # type: ignore[untyped-decorator]  # of any function
@pytest.mark.usefixtures("_open_receiver")
def test_every_answer_is_a_described_one(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(headers=AUTHENTIC)


REFUSALS_BY_SETTING: Final[list[tuple[dict[str, Any], set[str]]]] = [
    ({"signatures": "required", "signing_secrets": SECRET}, {"missing_signature"}),
    ({"signatures": "accepted", "signing_secrets": SECRET}, {"wrong_signature"}),
    ({"known_users_only": True}, {"missing_user_id", "unknown_user"}),
    ({"user_mismatch": "refused"}, {"user_mismatch"}),
    ({"rate_limit_per_key": "3/hour"}, {"rate_limited"}),
    ({"rate_limit_per_address": "3/hour"}, {"rate_limited"}),
    ({"max_body_bytes": 40}, {"body_too_large"}),
    ({"spool_max_bytes": 1}, {"spool_full"}),
]


@pytest.mark.parametrize(
    ("settings", "reasons"), REFUSALS_BY_SETTING, ids=[next(iter(case[0])) for case in REFUSALS_BY_SETTING]
)
def test_every_answer_of_a_stricter_receiver_is_a_described_one(
    settings: dict[str, Any], reasons: set[str], tmp_path: Path
) -> None:
    users = tmp_path / "users.csv"
    users.write_text("user_id\nsomebody-else\n", encoding="utf-8")
    log = MemoryLog(failure=LogUnavailable("no broker") if "spool_max_bytes" in settings else None)
    SCHEMA.app.receiver = receiver(log, data_dir=tmp_path, users_file=users, **settings)
    operation = SCHEMA[WEBHOOK_PATHS[0]]["POST"]
    seen = set()

    @given(case=operation.as_strategy())
    @hypothesis.settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate]
    )
    def call(case: schemathesis.Case[Any]) -> None:
        response = case.call(headers=AUTHENTIC)
        # what is refused here is a well-made call, on purpose, and with a 503 where nothing can be stored
        case.validate_response(
            response, headers=AUTHENTIC, excluded_checks=[positive_data_acceptance, not_a_server_error]
        )
        seen.add(response.json().get("error"))

    call()
    assert reasons <= seen
