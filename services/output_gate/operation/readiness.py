"""Readiness: whether the gate can decide, asked of each thing that it depends on, by name.

Rules, in order:

1. Each dependency is used as a check uses it: the database is read, the log's newest checkpoint verified, the index asked, a
   picture embedded. What fails is named with its code; the others are asked all the same.
2. The index is not ready when it is more than `MAX_LAG_SECONDS` behind the log, or lacks items of a model's manifest, by a gap
   on record or without one: checks of that model are undecided. Items that it lacks beside those are reported and no reason.
3. The database is asked first, on a connection of its own, which has seconds to answer. Where it does not, neither are those
   asked that need it: they would be waited for.
4. Nothing here changes anything.
"""

import os
import shutil
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import structlog
from PIL import Image
from pydantic import BaseModel, Field
from sqlmodel import Session, col, select

from services.output_gate.gate import Gate
from services.output_gate.policy.control_run import verify_threshold
from services.output_gate.policy.policy import content_of
from shared.db import verify_answers
from shared.errors import CorruptStateError, SleeveError, UnavailableError
from shared.home_identity import verify_home
from shared.http.problem_details import describe_error
from shared.ledger.checkpoint import verify_checkpoint
from shared.ledger.layout import CHECKPOINT_PATH
from shared.ledger.readers import FolderReader
from shared.records.index_gaps import find_manifests_with_gaps
from shared.records.models import Model
from shared.records.policies import find_policy_in_force

# The promise: what is registered is seen by the gate within five seconds.
MAX_LAG_SECONDS = 5.0
# Below this nothing is to be accepted: a generation, a transaction and tiles have to fit.
MIN_FREE_BYTES = 256 * 2**20
# Models named in an answer; all are counted.
NAMED = 20
# What cannot be asked without the database.
_NEED_DATABASE = frozenset({"log", "index", "policy"})

log = structlog.get_logger()


class DependencyAnswer(BaseModel):
    """One thing that the gate depends on."""

    name: str
    ready: bool
    reason: str | None = Field(description="Stable code of why it is not.")
    detail: dict[str, Any] = Field(description="What was measured of it.")


class ReadinessAnswer(BaseModel):
    """Whether the gate can decide."""

    ready: bool
    dependencies: list[DependencyAnswer]


class _NotReadyError(SleeveError):
    """A dependency answers, and is not as it must be."""

    def __init__(self, code: str, detail: dict[str, Any]) -> None:
        super().__init__(f"not ready: {code}", code=code)
        self.detail = detail


def measure_readiness(gate: Gate) -> ReadinessAnswer:
    """Ask every dependency of the gate."""
    database = _ask("database", gate, _look_at_database)
    dependencies = [database]
    for name, look in (
        ("log", _look_at_log),
        ("index", _look_at_index),
        ("embedder", _look_at_embedder),
        ("blobs", _look_at_blobs),
        ("policy", _look_at_policy),
    ):
        is_lost = name in _NEED_DATABASE and not database.ready and database.reason == UnavailableError.code
        dependencies.append(_not_asked(name) if is_lost else _ask(name, gate, look))
    return ReadinessAnswer(ready=all(dependency.ready for dependency in dependencies), dependencies=dependencies)


def readiness_problem(answer: ReadinessAnswer) -> dict[str, Any]:
    """Build the problem of a gate that is not ready; it names each dependency that is not, with its reason."""
    reasons = "; ".join(
        f"{dependency.name}: {dependency.reason}" for dependency in answer.dependencies if not dependency.ready
    )
    return describe_error(UnavailableError(reasons or "the gate is not ready", code="not_ready"))


def _not_asked(name: str) -> DependencyAnswer:
    return DependencyAnswer(name=name, ready=False, reason="database_down", detail={})


def _ask(name: str, gate: Gate, look: Callable[[Gate], dict[str, Any]]) -> DependencyAnswer:
    try:
        return DependencyAnswer(name=name, ready=True, reason=None, detail=look(gate))
    except _NotReadyError as error:
        return DependencyAnswer(name=name, ready=False, reason=error.code, detail=error.detail)
    except SleeveError as error:
        log.warning("not_ready", dependency=name, code=error.code)
        return DependencyAnswer(name=name, ready=False, reason=error.code, detail={})
    except Exception as error:  # whatever a dependency raises, the answer is that it is not ready
        log.warning("not_ready", dependency=name, error=type(error).__name__)
        return DependencyAnswer(name=name, ready=False, reason="failed", detail={"error": type(error).__name__})


def _look_at_database(gate: Gate) -> dict[str, Any]:
    verify_answers(gate.workspace.engine)
    # Another host may have adopted the database since.
    verify_home(gate.workspace.engine, gate.workspace.home)
    return {"kind": gate.workspace.engine.dialect.name}


def _look_at_log(gate: Gate) -> dict[str, Any]:
    workspace = gate.workspace
    recorded = workspace.log.checkpoint()
    published = FolderReader(workspace.log.folder).read(CHECKPOINT_PATH)
    if published is None:
        raise UnavailableError("the log's folder holds no checkpoint", code="log_folder_missing")
    size = verify_checkpoint(published.decode(), workspace.log.vkey).size
    detail = {"size": recorded.size, "published_size": size}
    if size < recorded.size:
        raise _NotReadyError("log_not_published", detail)
    return detail


def _look_at_index(gate: Gate) -> dict[str, Any]:
    state, gap_key, short = gate.indexer.measure(), gate.indexer.gap_key, gate.indexer.short_manifests
    with gate.workspace.reading() as session:
        models = _models_of(session, find_manifests_with_gaps(session, gap_key))
        incomplete = _models_of(session, short)
    detail = {
        "cursor": state.cursor,
        "behind_entries": state.behind_entries,
        "behind_seconds": round(state.behind_seconds, 3),
        "gaps": state.gaps,
        "models_with_gaps": models[:NAMED],
        "short_manifests": [*short[:NAMED]],
    }
    if gate.indexer.failure is not None:
        raise _NotReadyError(gate.indexer.failure, detail)
    if models:
        raise _NotReadyError("index_gaps", detail)
    if incomplete:
        raise _NotReadyError("index_short", detail)
    if state.behind_seconds > MAX_LAG_SECONDS:
        raise _NotReadyError("index_behind", detail)
    return detail


def _models_of(session: Session, manifests: Collection[str]) -> list[str]:
    return sorted(session.exec(select(Model.name).where(col(Model.manifest_id).in_(manifests))))


def _look_at_embedder(gate: Gate) -> dict[str, Any]:
    # Neither flat nor a photograph of anybody: it has to have a direction, nothing more.
    side = np.linspace(0, 255, 32)
    picture = Image.fromarray(np.stack([*np.meshgrid(side, side), np.full((32, 32), 128)], axis=2).astype(np.uint8))
    vectors = gate.embedder.embed([picture])
    if not np.isfinite(vectors).all() or abs(float(np.linalg.norm(vectors[0])) - 1) > 1e-3:
        raise CorruptStateError("expected a vector of length 1 from the embedder", code="embedder_failed")
    return {"name": gate.embedder.name, "dimensions": gate.embedder.dimensions}


def _look_at_blobs(gate: Gate) -> dict[str, Any]:
    folder = gate.workspace.blobs.folder
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise UnavailableError(f"expected the blob folder {folder}, got none that can be written", code="blobs_missing")
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < MIN_FREE_BYTES:
        raise _NotReadyError("disk_full", {"free_bytes": free_bytes})
    return {"free_bytes": free_bytes}


def _look_at_policy(gate: Gate) -> dict[str, Any]:
    with gate.workspace.reading() as session:
        policy = find_policy_in_force(session)
    if policy is None:
        raise UnavailableError("no policy is in force", code="policy_missing")
    content = content_of(policy)
    verify_threshold(content)
    return {"name": content.name, "version": content.version, "sha256": policy.sha256}
