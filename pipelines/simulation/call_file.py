"""Calls written down by others: a file of JSON lines, sent as it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.simulation.calls import Call, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
_HeaderValue = Annotated[str, Field(pattern=r"^[^\r\n\x00]*$")]


class CallFileError(Exception):
    """A line that is no call; the message names the file, the line and the field."""


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    headers: dict[_HeaderName, _HeaderValue] = Field(default_factory=dict)
    body: str
    path: str = Field(default="webhook", pattern=r"^[A-Za-z0-9._~-]+$")
    expect: int = Field(default=200, ge=100, le=599)


def read_calls(path: Path) -> Iterator[Call]:
    """The calls of a file, one JSON object `{"headers": {}, "body": "..."}` a line, read as they are sent.

    A line may also name its `path` (webhook) and the status to `expect` (200). Calls with one x-user-id keep
    the file's order. Raises CallFileError at a line that is not of this form; blank lines are skipped.
    """
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if raw.strip():
                yield _call(raw, f"{path}, line {number}")


def _call(raw: bytes, where: str) -> Call:
    try:
        line = _Line.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the line"
        raise CallFileError(f"{where}: {field}: {first['msg']}") from error
    user_id = next((value for name, value in line.headers.items() if name.lower() == "x-user-id"), "")
    return Call(
        path=line.path,
        headers=line.headers,
        body=line.body.encode(),
        send_at=_NO_TIME,
        kind=Kind.FROM_FILE,
        session=(user_id, ""),
        expect=line.expect,
        detail=where,
    )
