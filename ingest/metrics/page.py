"""Shows the receiver's numbers on /metrics, in Prometheus's text format or as OpenMetrics."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector


def metrics_routes(numbers: Collector) -> APIRouter:
    """The route /metrics over one collector, which is asked at each look, on the event loop."""
    router = APIRouter(tags=["health"])
    registry = CollectorRegistry()
    registry.register(numbers)

    @router.get(
        "/metrics",
        summary="Numbers for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics(request: Request) -> Response:
        """Counts, gauges and histograms of all processes of this receiver."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    return router
