"""The gate over HTTP."""

from fastapi import FastAPI

from services.output_gate.checks.endpoints import router as checks_router


def add_output_gate(app: FastAPI) -> None:
    """Add the gate's routes to an app; they read `app.state.gate`."""
    app.include_router(checks_router)
