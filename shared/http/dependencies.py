"""The parameters that endpoints share: the workspace, the caller, a page of a list.

A service adds its own in a module of the same name, as `services.output_gate.dependencies` does with the gate.
"""

from typing import Annotated

from fastapi import Depends, Query, Request

from shared.auth.caller import Caller, current_caller
from shared.http.paging import PageRequest
from shared.workspace import Workspace


def get_workspace(request: Request) -> Workspace:
    """Return the workspace that the application serves."""
    workspace: Workspace = request.app.state.workspace
    return workspace


def read_page(
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> PageRequest:
    """Return which page of a list a request asks for."""
    return PageRequest(cursor, limit)


CurrentWorkspace = Annotated[Workspace, Depends(get_workspace)]
CurrentCaller = Annotated[Caller, Depends(current_caller)]
PageQuery = Annotated[PageRequest, Depends(read_page)]
