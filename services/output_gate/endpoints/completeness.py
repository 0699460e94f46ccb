"""`GET /v1/completeness`: whether anything is missing between the log and what the gate did."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.output_gate.completeness.schemas import CompletenessAnswer, build_completeness_answer
from services.output_gate.dependencies import CurrentCompleteness
from shared.auth.access import needs
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["completeness"], responses=PROBLEM_RESPONSES)


@router.get(
    "/completeness",
    dependencies=needs("outputs:read"),
    summary="Count what the log says of checks and flags, and name every gap",
)
def get_completeness(
    count: CurrentCompleteness,
    fresh: Annotated[bool, Query(description="Count the whole log again, not only what is new since the last count.")] = False,
) -> CompletenessAnswer:
    """Answer with decisions, outcomes and open flags as the log's entries have them, and with what the database says else."""
    if fresh:
        count.restart()
    return build_completeness_answer(count.bring_up())
