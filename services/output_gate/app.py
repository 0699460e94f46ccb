"""The gate over HTTP."""

from fastapi import FastAPI

from services.output_gate.checks.endpoints import router as checks_router
from services.output_gate.gate import Gate


def add_output_gate(app: FastAPI, gate: Gate) -> None:
    """Add the gate's routes to an app."""
    app.state.gate = gate
    app.include_router(checks_router)
