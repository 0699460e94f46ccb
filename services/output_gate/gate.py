"""The gate: everything that a check of one model needs, loaded once and kept ready.

A model is ready when it is calibrated by the embedder and shortlist length in force, and its manifest's corpus is ready
(`services.output_gate.corpora`). Whatever is missing has a code, and the gate answers `undecided` with that code.

Each check is decided from beginning to end by one policy: the one that was in force when it began.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from services.output_gate.corpora import CorpusSource, NotReadyError, ReadyCorpus
from services.output_gate.indexer import Indexer
from services.output_gate.policy.control_run import verify_threshold
from services.output_gate.policy.policy import PolicyContent, content_of
from services.output_gate.results.schemas import Metrics
from shared.errors import InputError
from shared.index.vector_index import VectorIndex
from shared.matching.calibration.null_distribution import ControlScores
from shared.matching.copy_detection.orientations import UPRIGHT_ORIENTATIONS
from shared.matching.panel.panel import build_panel
from shared.matching.panel.rule import Rule
from shared.records.models import Calibration, Model, list_calibrations
from shared.records.policies import Policy, find_policy_in_force
from shared.vision.embedding import Embedder
from shared.vision.views import Pixels, ViewRecipe
from shared.workspace import Workspace

log = structlog.get_logger()

# Where the policy gives its line as a score, the other calibrated rules still stand beside it: at the rate of the default.
COMPARED_RATE = 0.001
# The rule that looks at whole pictures.
WORKS = "works"


# Measures items beside generations, both uint8 (N, C, H, W); returns the similarity metrics of each pair.
MeasurePairs = Callable[[Pixels, Pixels], list[Metrics]]


@dataclass(frozen=True)
class ReadyModel:
    """A model that generations can be checked against."""

    model: Model
    corpus: ReadyCorpus
    scores: ControlScores
    panel: tuple[Rule, ...]
    policy_sha256: str

    @property
    def orientations(self) -> int:
        """In how many orientations the control was read, and generations are: what was calibrated earlier says two."""
        return int(self.scores.pipeline.get("orientations", UPRIGHT_ORIENTATIONS))


@dataclass
class Gate:
    """The gate's index, embedder and policy over a workspace."""

    workspace: Workspace
    embedder: Embedder
    index: VectorIndex
    indexer: Indexer
    policy: Policy
    content: PolicyContent
    corpora: CorpusSource
    measure_pairs: MeasurePairs
    _ready: dict[tuple[str, str], ReadyModel] = field(default_factory=dict)

    def under_policy_in_force(self) -> "Gate":
        """Return this gate under the policy that was adopted last; what one check is made with from beginning to end.

        Raises:
            CorruptStateError: that policy cannot be read any more.
            UnavailableError: the database is down.
        """
        with self.workspace.reading() as session:
            newest = find_policy_in_force(session)
        if newest is None or newest.id == self.policy.id:
            return self
        return replace(self, policy=newest, content=content_of(newest))

    def load_ready_model(self, model: Model) -> ReadyModel:
        """Return what a check of this model needs.

        Raises:
            NotReadyError: something is missing or behind; the code says what.
        """
        calibration = self._load_calibration(model)
        # The digest on record: the scores are gathered and held against it once, not at every check.
        key = (model.id, calibration.sha256)
        ready = self._ready.get(key)
        scores = self._build_scores(calibration) if ready is None else ready.scores
        backgrounds, with_works = tuple(scores.pipeline.get("backgrounds", ())), WORKS in self.content.deciding_rules
        corpus = self.corpora.load(model.manifest_id, view_recipe(model), backgrounds, with_works=with_works)
        if ready is None or ready.corpus is not corpus:
            _check_same("copy detector", scores.pipeline.get("copies"), corpus.detector.digests)
            if corpus.works is not None:
                _check_same("detector of works", scores.pipeline.get("works"), corpus.works.digests)
            ready = self._ready[key] = self._under_policy(ReadyModel(model, corpus, scores, (), ""))
        if ready.policy_sha256 != self.content.sha256:
            ready = self._ready[key] = self._under_policy(ready)
        # Raises where the index is down: the gate does not decide then, though the vectors of this manifest are at hand.
        _ = self.index.cursor
        return ready

    def _load_calibration(self, model: Model) -> Calibration:
        """Return the newest calibration by which the policy's rules passed every control of an audit."""
        with self.workspace.reading() as session:
            calibrations = list_calibrations(session, model.id)
        rules = self.content.deciding_rules
        scored = [calibration for calibration in calibrations if calibration.scores.keys() >= set(rules)]
        if calibrations and not scored:
            raise NotReadyError(
                f"model {model.name!r} has no control with scores by {' and '.join(rules)}: audit it again",
                code="rule_not_calibrated",
            )
        calibrations = scored
        sound = next((calibration for calibration in calibrations if not calibration.unsound_rules.keys() & set(rules)), None)
        if sound is None and calibrations:
            failed = sorted(calibrations[0].unsound_rules.keys() & set(rules))
            raise NotReadyError(
                f"model {model.name!r} has no audit in which {' and '.join(rules)} passed every control; "
                f"the newest is void by {' and '.join(failed)}",
                code="control_failed",
            )
        if sound is None:
            raise NotReadyError(f"model {model.name!r} has no calibrated control", code="not_calibrated")
        return sound

    def _build_scores(self, calibration: Calibration) -> ControlScores:
        pipeline = calibration.pipeline
        _check_same("embedder", pipeline["embedder_sha256"], self.embedder.sha256)
        _check_same("shortlist", pipeline["neighbours"], self.content.neighbours)
        scores = ControlScores({rule: tuple(values) for rule, values in calibration.scores.items()}, pipeline)
        if scores.sha256 != calibration.sha256:
            raise NotReadyError(
                f"calibration was changed: expected {calibration.sha256}, got {scores.sha256}", code="calibration_damaged"
            )
        return scores

    def _under_policy(self, ready: ReadyModel) -> ReadyModel:
        """Set up the rules for the policy in force; what was loaded for another one stays loaded."""
        _check_same("shortlist", ready.scores.pipeline["neighbours"], self.content.neighbours)
        deciding = self.content.deciding_rules
        panel = build_panel(ready.scores, self.content.false_positive_rate or COMPARED_RATE, self.embedder.name)
        # Looking for works costs more than all other rules together: only where a policy decides by it.
        panel = tuple(rule for rule in panel if rule.name != WORKS or WORKS in deciding)
        _verify_range(self.content)
        bound = self.content.flag_bound.divided_by(len(deciding))
        thresholds: dict[str, float] = {name: bound.threshold(ready.scores.null(name)) for name in deciding}
        panel = tuple(replace(rule, threshold=thresholds.get(rule.name, rule.threshold)) for rule in panel)
        return replace(ready, panel=panel, policy_sha256=self.content.sha256)

    def close(self) -> None:
        """Stop what is being built, and release the index."""
        self.corpora.close()
        self.index.close()


def view_recipe(model: Model) -> ViewRecipe:
    """Return the recipe of the views in which a model's generations are compared."""
    return ViewRecipe(resolution_px=model.resolution_px, channels=model.channels)


def _verify_range(content: PolicyContent) -> None:
    # A policy of before thresholds were bounded may be in force: it clears nothing.
    try:
        verify_threshold(content)
    except InputError as error:
        raise NotReadyError(error.message, code=error.code) from error


def _check_same(what: str, calibrated: object, in_force: object) -> None:
    if calibrated != in_force:
        raise NotReadyError(
            f"the model was calibrated with another {what}: expected {calibrated}, got {in_force}", code="calibrated_otherwise"
        )
