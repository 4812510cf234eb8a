"""Tells an orchestrator whether the receiver lives (/healthz) and whether it can take calls (/readyz)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from ingest.event_log.base import EventLogWriter


def health_routes(writer: EventLogWriter) -> APIRouter:
    """The routes /healthz and /readyz of a receiver that appends through `writer`."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="The process lives")
    async def healthz() -> dict[str, str]:
        """200 as long as the process answers, whatever the event log does."""
        return {"status": "alive"}

    @router.get(
        "/readyz",
        summary="Calls can be accepted",
        responses={503: {"description": "Not ready; `problems` names the part and says why."}},
    )
    async def readyz() -> JSONResponse:
        """200 while the event log can be reached; 503 before that, and after an append that failed."""
        problem = writer.problem()
        if problem is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse(
            {"status": "not_ready", "problems": {"event_log": problem}},
            status_code=503,
        )

    return router
