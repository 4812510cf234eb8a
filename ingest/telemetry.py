"""JSON logs on stderr: one line per event, with named fields."""

from __future__ import annotations

import json
import logging
import logging.config
import re
from datetime import UTC, datetime
from typing import Any, Final

_BYTES: Final = (bytes, bytearray, memoryview)


class JsonFormatter(logging.Formatter):
    """Renders a log record as one line of ASCII JSON, whatever its message and fields hold."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON: time (UTC), level, logger, process, message, its fields, any exception."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": _message(record),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _message(record: logging.LogRecord) -> str:
    """The message, without what a library would show of bodies and keys.

    Bytes are told by their length: kafka-python shows a response that it can not decode, records and all.
    Of asyncio's messages what precedes the first bracket or line end is kept: then come the arguments of
    callbacks, and exceptions as `repr` shows them, UnicodeDecodeError with the whole body. The traceback,
    which is logged beside the message, has neither.
    """
    message = record.getMessage()
    if isinstance(record.args, tuple) and any(isinstance(value, _BYTES) for value in record.args):
        message = str(record.msg) % tuple(map(_without_bytes, record.args))
    return re.split(r"[(\n]", message, maxsplit=1)[0] if record.name == "asyncio" else message


def _without_bytes(value: object) -> object:
    return f"<{len(value)} bytes>" if isinstance(value, _BYTES) else value


def log_event(logger: logging.Logger, level: int, message: str, /, **fields: object) -> None:
    """Log one event; `fields` become keys of its line (values JSON can not hold are shown by `str`)."""
    logger.log(level, message, extra={"fields": fields})


def logging_config(level: str) -> dict[str, Any]:
    """Configuration for `logging.config.dictConfig`: everything from `level` up goes to stderr as JSON."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": level, "handlers": ["stderr"]},
        # At DEBUG the Kafka client logs every record that it sends: bodies have no place in a log.
        "loggers": {"kafka": {"level": "INFO" if level == "DEBUG" else level}},
    }


def configure_logging(level: str) -> None:
    """Send the logs of this process to stderr as JSON; `level` is the lowest that is logged."""
    logging.config.dictConfig(logging_config(level))
