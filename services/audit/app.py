"""The audit service over HTTP."""

from fastapi import FastAPI

from services.audit.endpoints.audits import router as audits_router
from services.audit.endpoints.models import router as models_router
from services.audit.endpoints.slices import router as slices_router
from services.audit.endpoints.studies import router as studies_router


def add_audit(app: FastAPI) -> None:
    """Add the audit service's routes to an app; they read `app.state.workspace`."""
    app.include_router(slices_router)
    app.include_router(models_router)
    app.include_router(audits_router)
    app.include_router(studies_router)
