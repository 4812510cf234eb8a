"""Tells an orchestrator whether the receiver lives (/healthz) and whether it can take calls (/readyz)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple

from fastapi import APIRouter
from fastapi.responses import JSONResponse

STOPPING: Final = "the receiver is stopping: calls in flight are finished, new ones belong elsewhere"
UNPROVEN: Final = "it is not proven yet that events can be stored"

State = Literal["ready", "degraded", "not_ready"]


class Finding(NamedTuple):
    """How this process is: its state, and what is wrong by the part that it is wrong with."""

    state: State
    problems: dict[str, str]


class Health:
    """Asks the parts of one process.

    `parts` gives for each part what is wrong with it, in words, or None; `accepts` whether a call that
    arrives now could be answered 200. Both are asked at each look, on the event loop: they must not block.
    """

    def __init__(self, parts: Mapping[str, Callable[[], str | None]], accepts: Callable[[], bool]) -> None:
        self._parts = parts
        self._accepts = accepts
        self._is_stopping = False

    def stop(self) -> None:
        """Not ready from now on, whatever the parts say."""
        self._is_stopping = True

    def look(self) -> Finding:
        """Ready: all is well. Degraded: calls are accepted, but a part is not well. Else not ready."""
        problems = {part: problem for part, ask in self._parts.items() if (problem := ask()) is not None}
        if self._is_stopping:
            return Finding("not_ready", {**problems, "stopping": STOPPING})
        if not self._accepts():
            return Finding("not_ready", problems or {"receiver": UNPROVEN})
        return Finding("degraded" if problems else "ready", problems)


def health_routes(health: Health) -> APIRouter:
    """The routes /healthz and /readyz of one receiver process."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="The process lives")
    async def healthz() -> dict[str, str]:
        """200 as long as the process answers, whatever the event log does."""
        return {"status": "alive"}

    @router.get(
        "/readyz",
        summary="Calls can be accepted",
        responses={
            200: {
                "description": "`ready`, or `degraded`: calls are accepted, `problems` says what is wrong.",
                "content": _json_of("ready", "degraded"),
            },
            503: {
                "description": "`not_ready`: `problems` names the parts and says why.",
                "content": _json_of("not_ready"),
            },
        },
    )
    async def readyz() -> JSONResponse:
        """200 while this process accepts calls; 503 at start until that is proven, and while it stops."""
        state, problems = health.look()
        content: dict[str, object] = {"status": state}
        if problems:
            content["problems"] = problems
        is_ready = state != "not_ready"
        return JSONResponse(content, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)

    return router


def _json_of(*states: State) -> dict[str, Any]:
    """The content of an answer of /readyz, for OpenAPI."""
    properties = {
        "status": {"enum": list(states)},
        "problems": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "What is wrong, by the part that it is wrong with.",
        },
    }
    schema = {"type": "object", "required": ["status"], "properties": properties}
    return {"application/json": {"schema": schema}}
