"""`/readyz` and `/metrics`: for whoever runs the gate."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from services.output_gate.dependencies import CurrentGate, CurrentMetrics, CurrentReadiness
from services.output_gate.operation.metrics import render_metrics
from services.output_gate.operation.readiness import ReadinessAnswer, measure_readiness, readiness_problem
from shared.auth.access import PUBLIC, needs
from shared.http.dependencies import CurrentCaller
from shared.http.problem_details import MEDIA_TYPE
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(tags=["service"])


@router.get(
    "/readyz",
    response_model=ReadinessAnswer,
    responses={503: PROBLEM_RESPONSES[503]},
    dependencies=PUBLIC,
    summary="Can the gate decide?",
)
def get_readiness(gate: CurrentGate, recent: CurrentReadiness, caller: CurrentCaller) -> Response:
    """Answer 200 where database, log, index, embedder, blobs and policy are ready, else 503 with the reasons.

    The problem then has the member `dependencies` as well, as it is answered with 200. They are named to who may see metrics;
    anyone else learns whether the gate is ready, as measured within the last second. A gate that is not ready answers checks
    all the same: undecided, or 503 where nothing can be recorded; never clear.
    """
    answer = measure_readiness(gate) if caller.holds("metrics:read") else recent.read()
    headers = {"Cache-Control": "no-store"}
    if answer.ready:
        return JSONResponse(answer.model_dump(), headers=headers)
    content = readiness_problem(answer) | answer.model_dump()
    return JSONResponse(content, status_code=503, media_type=MEDIA_TYPE, headers=headers)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    dependencies=needs("metrics:read"),
    summary="Metrics for Prometheus",
)
def get_metrics(collector: CurrentMetrics) -> Response:
    """Answer with checks by decision and reason, durations by step, lag of the index, gaps, flags, jobs; no personal data."""
    return Response(render_metrics(collector), media_type=CONTENT_TYPE_LATEST)
