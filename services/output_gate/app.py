"""The gate over HTTP."""

from anyio import CapacityLimiter
from fastapi import FastAPI

from services.output_gate.completeness.count import CompletenessCount
from services.output_gate.endpoints.checks import router as checks_router
from services.output_gate.endpoints.completeness import router as completeness_router
from services.output_gate.endpoints.flags import router as flags_router
from services.output_gate.endpoints.operation import READINESS_THREADS
from services.output_gate.endpoints.operation import router as operation_router
from services.output_gate.endpoints.outputs import router as registry_router
from services.output_gate.endpoints.payables import router as payables_router
from services.output_gate.endpoints.policies import router as policies_router
from services.output_gate.endpoints.reviews import router as reviews_router
from services.output_gate.endpoints.search import router as nearest_router
from services.output_gate.endpoints.webhooks import router as webhooks_router
from services.output_gate.gate import Gate
from services.output_gate.operation.metrics import GateCollector
from services.output_gate.operation.recent_readiness import RecentReadiness
from services.output_gate.registry.service import OutputSearch

ROUTERS = (
    checks_router,
    reviews_router,
    flags_router,
    payables_router,
    policies_router,
    completeness_router,
    registry_router,
    nearest_router,
    operation_router,
    webhooks_router,
)


def add_output_gate(app: FastAPI) -> None:
    """Add the gate's routes to an app; they read what `open_output_gate` puts there."""
    for router in ROUTERS:
        app.include_router(router)


def open_output_gate(app: FastAPI, gate: Gate) -> None:
    """Give the routes the gate that they speak for, and what they keep between requests."""
    app.state.gate = gate
    app.state.recent_readiness = RecentReadiness(gate)
    app.state.readiness_threads = CapacityLimiter(READINESS_THREADS)
    app.state.completeness = CompletenessCount(gate.workspace)
    app.state.output_search = OutputSearch(gate.workspace)
    app.state.metrics = GateCollector(gate, app.state.completeness)
