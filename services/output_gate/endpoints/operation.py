"""`/readyz` and `/metrics`: for whoever runs the gate."""

from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from services.output_gate.dependencies import CurrentMetrics
from services.output_gate.operation.metrics import render_metrics
from services.output_gate.operation.readiness import ReadinessAnswer, measure_readiness, readiness_problem
from shared.auth.access import PUBLIC, needs
from shared.auth.caller import current_caller
from shared.http.problem_details import MEDIA_TYPE
from shared.http.problems import PROBLEM_RESPONSES

# Threads of their own, so that an answer does not wait behind requests that wait for what it reports.
READINESS_THREADS = 4

router = APIRouter(tags=["service"])


@router.get(
    "/readyz",
    response_model=ReadinessAnswer,
    responses={503: PROBLEM_RESPONSES[503]},
    dependencies=PUBLIC,
    summary="Can the gate decide?",
)
async def get_readiness(request: Request) -> Response:
    """Answer 200 where database, log, index, embedder, blobs and policy are ready, else 503 with the reasons.

    The problem then has the member `dependencies` as well, as it is answered with 200. They are named to who may see metrics;
    anyone else learns whether the gate is ready, as measured within the last second. A gate that is not ready answers checks
    all the same: undecided, or 503 where nothing can be recorded; never clear.
    """
    state, caller = request.app.state, current_caller()
    measure = partial(measure_readiness, state.gate) if caller.holds("metrics:read") else state.recent_readiness.read
    answer: ReadinessAnswer = await to_thread.run_sync(measure, limiter=state.readiness_threads)
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
