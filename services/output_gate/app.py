"""The gate over HTTP."""

from fastapi import FastAPI

from services.output_gate.checks.endpoints import router as checks_router
from services.output_gate.flags.endpoints import router as flags_router
from services.output_gate.payables.endpoints import router as payables_router
from services.output_gate.policy.endpoints import router as policies_router
from services.output_gate.reviews.endpoints import router as reviews_router
from services.output_gate.webhooks.endpoints import router as webhooks_router


def add_output_gate(app: FastAPI) -> None:
    """Add the gate's routes to an app; they read `app.state.gate`."""
    for router in (checks_router, reviews_router, flags_router, payables_router, policies_router, webhooks_router):
        app.include_router(router)
