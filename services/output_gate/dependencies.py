"""What the gate's endpoints are given beside workspace, caller and page: the gate, and what it keeps between requests."""

from typing import Annotated

from fastapi import Depends, Request

from services.output_gate.completeness.count import CompletenessCount
from services.output_gate.gate import Gate
from services.output_gate.operation.metrics import GateCollector
from services.output_gate.registry.service import OutputSearch


def get_gate(request: Request) -> Gate:
    """Return the gate that the application serves."""
    gate: Gate = request.app.state.gate
    return gate


def get_completeness_count(request: Request) -> CompletenessCount:
    """Return the count of completeness that goes on with the log."""
    count: CompletenessCount = request.app.state.completeness
    return count


def get_output_search(request: Request) -> OutputSearch:
    """Return the search in the registry of outputs."""
    search: OutputSearch = request.app.state.output_search
    return search


def get_metrics_collector(request: Request) -> GateCollector:
    """Return what collects the metrics."""
    collector: GateCollector = request.app.state.metrics
    return collector


CurrentGate = Annotated[Gate, Depends(get_gate)]
CurrentCompleteness = Annotated[CompletenessCount, Depends(get_completeness_count)]
CurrentOutputSearch = Annotated[OutputSearch, Depends(get_output_search)]
CurrentMetrics = Annotated[GateCollector, Depends(get_metrics_collector)]
