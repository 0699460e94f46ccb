"""What `sleeve serve` runs: the application, listening where the settings say."""

import structlog
import uvicorn

from services.output_gate.opening import open_gate
from services.server.app import create_app
from services.server.connections import build_timed_server
from shared.settings import Settings, is_loopback
from shared.workspace import open_workspace

log = structlog.get_logger()


def build_server(settings: Settings) -> uvicorn.Server:
    """Open workspace and gate and build the server over them.

    Raises:
        InputError: a setting is unusable.
        UnavailableError: the database is down, or another process owns the index.
    """
    workspace = open_workspace(settings)
    app = create_app(workspace, open_gate(workspace))
    if not is_loopback(settings.host):
        log.warning("listening_beyond_loopback", host=settings.host, expected="a proxy in front that speaks TLS")
    return build_timed_server(
        app,
        max_connections=settings.max_connections,
        shutdown_seconds=settings.shutdown_seconds,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies or "",
    )
