"""The audit service over HTTP."""

from fastapi import FastAPI

from services.audit.endpoints import router


def add_audit(app: FastAPI) -> None:
    """Add the audit service's routes to an app; they read `app.state.workspace`."""
    app.include_router(router)
