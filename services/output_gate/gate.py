"""The gate: what it needs to check one generation of one model, gathered and kept ready.

A model is ready when it is calibrated by the embedder and shortlist length in force, its views are intact, and the index
has taken in its manifest. Whatever is missing has a name; the gate then answers `undecided` with it.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import structlog

from services.output_gate.indexing import Indexer
from services.output_gate.policy.policy import DEFAULT_POLICY, PolicyContent, adopt_policy, load_policy_file
from shared.errors import SleeveError
from shared.index.edge import EdgeIndex
from shared.matching.null import NullDistribution
from shared.records.checks import Policy
from shared.records.items import Item
from shared.records.manifests import Manifest, load_manifest, load_manifest_items
from shared.records.models import Model, find_calibration
from shared.vision.embedding import Embedder, open_embedder
from shared.vision.embedding.embedder import collection_name
from shared.vision.view_store import ViewStore
from shared.vision.views import Pixels, ViewRecipe
from shared.workspace import Workspace

log = structlog.get_logger()


@dataclass(frozen=True)
class ReadyModel:
    """A model that generations can be checked against."""

    model: Model
    manifest: Manifest
    items: tuple[Item, ...]
    recipe: ViewRecipe
    views: Pixels
    null: NullDistribution

    @cached_property
    def position(self) -> dict[str, int]:
        """Row of each item in `views`."""
        return {item.id: at for at, item in enumerate(self.items)}


class NotReadyError(SleeveError):
    """A model cannot be checked against yet; the code says why and becomes the reason of an undecided answer."""

    code = "not_ready"


@dataclass
class Gate:
    """The gate's index, embedder and policy over a workspace."""

    workspace: Workspace
    embedder: Embedder
    index: EdgeIndex
    indexer: Indexer
    policy: Policy
    content: PolicyContent
    _ready: dict[tuple[str, str], ReadyModel] = field(default_factory=dict)

    def load_ready_model(self, model: Model) -> ReadyModel:
        """Return what a check of this model needs.

        Raises:
            NotReadyError: something is missing or behind; the code says what.
        """
        null = self._load_null(model)
        key = (model.id, null.sha256)
        if key not in self._ready:
            self._ready[key] = self._load(model, null)
        ready = self._ready[key]
        self.indexer.catch_up()
        held = self.index.count(ready.manifest.id)
        if held != ready.manifest.size:
            raise NotReadyError(f"index holds {held} of {ready.manifest.size} items", code="index_behind")
        return ready

    def _load_null(self, model: Model) -> NullDistribution:
        with self.workspace.reading() as session:
            calibration = find_calibration(session, model.id)
        if calibration is None:
            raise NotReadyError(f"model {model.name!r} has no calibrated control", code="not_calibrated")
        expected = (self.embedder.sha256, self.content.neighbours)
        got = (calibration.pipeline["embedder_sha256"], calibration.pipeline["neighbours"])
        if expected != got:
            raise NotReadyError(
                f"model {model.name!r} was calibrated with another embedder or shortlist: expected {expected}, got {got}",
                code="calibrated_otherwise",
            )
        return NullDistribution(tuple(calibration.scores), calibration.pipeline)

    def _load(self, model: Model, null: NullDistribution) -> ReadyModel:
        with self.workspace.reading() as session:
            manifest = load_manifest(session, model.manifest_id)
            items = tuple(load_manifest_items(session, manifest.id))
        recipe = ViewRecipe(resolution_px=model.resolution_px, channels=model.channels)
        store = ViewStore(self.workspace.home / "views", self.workspace.blobs, self.workspace.limits)
        views = store.load(manifest.root, [item.blob_sha256 for item in items], recipe)
        return ReadyModel(model, manifest, items, recipe, np.asarray(views), null)

    def close(self) -> None:
        """Release the index."""
        self.index.close()


def open_gate(workspace: Workspace, policy: PolicyContent | None = None) -> Gate:
    """Open the gate over a workspace, adopting the given policy or the default one.

    Raises:
        InputError: the embedder's setting names none.
        UnavailableError: another process owns the index.
        ConflictError: the policy's version is not newer than the one adopted.
    """
    content = policy or load_policy_file(DEFAULT_POLICY)
    embedder = open_embedder(workspace.settings.embedder)
    index = EdgeIndex(workspace.home / "index", collection_name(embedder), embedder.dimensions)
    with workspace.writing() as session:
        adopted = adopt_policy(session, content)
    workspace.log.integrate()
    log.info("gate_opened", embedder=embedder.name, policy=content.name, policy_version=content.version)
    return Gate(workspace, embedder, index, Indexer(workspace, index, embedder), adopted, content)
