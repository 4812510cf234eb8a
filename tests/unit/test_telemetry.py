"""Log lines: one line of JSON each, whatever they hold."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import struct
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kafka.errors import KafkaProtocolError
from kafka.protocol.metadata import MetadataRequest
from kafka.protocol.parser import KafkaProtocol

from ingest.telemetry import JsonFormatter, log_event, logging_config


def _line(message: str, fields: dict[str, Any]) -> str:
    record = logging.LogRecord("room", logging.INFO, __file__, 1, message, (), None)
    record.fields = fields
    return JsonFormatter().format(record)


def test_a_line_names_its_time_level_logger_process_message_and_fields() -> None:
    line = json.loads(_line("receiver listening", {"port": 8000, "host": "127.0.0.1"}))

    assert line.pop("time").endswith("+00:00")
    assert line.pop("process") > 0
    assert line == {
        "level": "INFO",
        "logger": "room",
        "message": "receiver listening",
        "port": 8000,
        "host": "127.0.0.1",
    }


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_any_text_stays_on_one_line_and_can_be_read_back(message: str, value: str) -> None:
    line = _line(message.replace("%", ""), {"value": value})

    assert len(line.splitlines()) == 1
    assert json.loads(line)["value"] == value


def test_a_value_that_json_can_not_hold_is_shown_as_text() -> None:
    assert json.loads(_line("odd", {"value": b"\xff"}))["value"] == "b'\\xff'"


def test_a_process_logs_json_to_stderr_from_its_level_up_with_the_exception() -> None:
    program = (
        "import logging\n"
        "from ingest.telemetry import configure_logging, log_event\n"
        "configure_logging('WARNING')\n"
        "log = logging.getLogger('room')\n"
        "log_event(log, logging.INFO, 'too low')\n"
        "try:\n"
        "    raise ValueError('broken')\n"
        "except ValueError:\n"
        "    log.exception('it %s', 'failed')\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )

    assert process.stdout == ""
    (line,) = (json.loads(text) for text in process.stderr.splitlines())
    assert (line["level"], line["message"]) == ("ERROR", "it failed")
    assert "ValueError: broken" in line["exception"]


def test_the_kafka_client_which_logs_bodies_at_debug_is_never_let_do_so() -> None:
    levels = {
        level: logging_config(level)["loggers"]["kafka"]["level"] for level in ("DEBUG", "INFO", "ERROR")
    }
    assert levels == {"DEBUG": "INFO", "INFO": "INFO", "ERROR": "ERROR"}


def test_fields_may_be_called_like_anything_of_the_logging_library() -> None:
    logger = logging.getLogger("tests.telemetry")
    log_event(logger, logging.DEBUG, "no clash", name="n", args="a", logger="l", level="v")


def _message(logger: str, message: str, *args: object) -> str:
    record = logging.LogRecord(logger, logging.ERROR, __file__, 1, message, args, None)
    return str(json.loads(JsonFormatter().format(record))["message"])


@pytest.mark.parametrize("value", [b"secret-body", bytearray(b"secret-body"), memoryview(b"secret-body")])
@pytest.mark.parametrize("form", ["%r", "%s"])
def test_bytes_that_a_library_would_show_are_told_by_their_length(value: object, form: str) -> None:
    message = _message("kafka.protocol.parser", f"Unable to decode %d-byte buffer: {form}", 11, value)
    assert "secret" not in message
    assert "<11 bytes>" in message


def test_the_kafka_client_does_not_show_a_response_that_it_can_not_decode(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = KafkaProtocol()
    number = client.send_request(MetadataRequest(version=1))
    response = struct.pack(">i", number) + b"\x7f\xff\xff\xff" + b"secret-body"
    with pytest.raises(KafkaProtocolError):
        client.receive_bytes(struct.pack(">i", len(response)) + response)
    assert "secret-body" in caplog.text
    (record,) = caplog.records
    line = JsonFormatter().format(record)
    assert "secret" not in line
    assert f"<{len(response)} bytes>" in line


def test_asyncio_shows_neither_arguments_nor_exceptions_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    async def decode(body: bytes) -> None:
        body.decode()

    def settle(body: bytes) -> None:
        raise KeyError(len(body))

    async def scenario() -> None:
        task = asyncio.create_task(decode(b"secret-body \xff"))
        await asyncio.wait([task])
        del task
        gc.collect()
        asyncio.get_running_loop().call_soon(settle, b"secret-body")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR, "asyncio"):
        asyncio.run(scenario())
    assert "secret-body" in caplog.text
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    assert lines[0]["message"] == "Task exception was never retrieved"
    assert lines[1]["message"].startswith("Exception in callback ")
    assert lines[1]["message"].endswith("settle")
    assert "UnicodeDecodeError" in lines[0]["exception"]
    assert "secret" not in json.dumps(lines)
