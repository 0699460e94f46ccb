"""Opening the gate: policy, embedder, index and corpora over a workspace."""

import structlog

from services.output_gate.corpora import PATIENCE_SECONDS, Corpora
from services.output_gate.gate import Gate
from services.output_gate.indexer import Indexer
from services.output_gate.policy.adoption import adopt_default, adopt_policy
from services.output_gate.policy.policy import PolicyContent, content_of
from services.output_gate.similarity import measure_pairs
from shared.index.index_opening import open_index
from shared.vision.embedding import open_embedder
from shared.vision.embedding.embedder import collection_name
from shared.workspace import Workspace

log = structlog.get_logger()


def open_gate(
    workspace: Workspace, policy: PolicyContent | None = None, patience_seconds: float | None = PATIENCE_SECONDS
) -> Gate:
    """Open the gate over a workspace, under the policy in force; the given one is adopted, the default where none ever was.

    Args:
        workspace: what to open it over.
        policy: one to adopt.
        patience_seconds: how long a check waits for its model to be made ready; None for as long as it takes.

    Raises:
        InputError: the embedder's setting names none.
        UnavailableError: another process owns the index, or its server does not answer.
        ConflictError: the given policy's version is not newer than the one adopted.
    """
    embedder = open_embedder(workspace.settings.embedder)
    index = open_index(workspace.settings, collection_name(embedder), embedder.dimensions)
    try:
        with workspace.writing() as session:
            adopted = adopt_policy(session, policy) if policy else adopt_default(session)
        content = content_of(adopted)
        workspace.log.integrate()
    except BaseException:
        # Whoever asked has no gate to close, and another process could not open the index.
        index.close()
        raise
    log.info("gate_opened", embedder=embedder.name, policy=content.name, policy_version=content.version)
    indexer = Indexer(workspace, index, embedder)
    corpora = Corpora(workspace, index, indexer, indexer.collection, patience_seconds)
    return Gate(workspace, embedder, index, indexer, adopted, content, corpora, measure_pairs)
