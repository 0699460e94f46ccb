"""What all steps of a study share: how its models are audited, its configuration, and where its files are."""

from dataclasses import dataclass
from pathlib import Path

from services.audit.comparison.context import AuditContext
from services.audit.comparison.matching import Matcher
from services.audit.controls.outcome import verify_relied_on
from services.audit.models.trained_models import model_recipe
from services.audit.processes.process_pool import ModelProgressCallback
from services.audit.sampling.sample_shards import samples_folder
from services.audit.studies.study_config import SAMPLE_SEED, StudyConfig, StudyModel
from shared.vision.embedding import open_embedder
from shared.vision.views import ViewRecipe
from shared.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class StudyContext(AuditContext):
    """How the models of one study are trained and audited.

    Attributes:
        config: the study.
        report_progress: called with the model's name, its step ("training", "kept", "sampling" or "audit"), and how far it is.
    """

    config: StudyConfig
    report_progress: ModelProgressCallback

    @property
    def recipe(self) -> ViewRecipe:
        """How the views are made that its models are trained on and compared in."""
        return model_recipe(self.config.training.resolution, self.config.training.channels)

    @property
    def folder(self) -> Path:
        """Where the intermediate results of this very configuration are."""
        return self.workspace.home / "studies" / self.config.name / self.config.sha256[:16]

    def samples_folder(self, model: StudyModel) -> Path:
        """Return where the generations of a finished model are."""
        config = self.config
        return samples_folder(self.workspace, model.name, config.generations, SAMPLE_SEED, config.sampling_steps)

    def checkpoint_samples_folder(self, model: StudyModel, update: int) -> Path:
        """Return where the generations of a model's checkpoint are."""
        config = self.config
        return samples_folder(
            self.workspace,
            model.name,
            config.kept_generations,
            SAMPLE_SEED,
            config.sampling_steps,
            checkpoint_update=update,
        )


def open_study(
    workspace: Workspace, config: StudyConfig, report_progress: ModelProgressCallback, matcher: Matcher
) -> StudyContext:
    """Open the embedder that the settings name, for a study.

    Raises:
        InputError: the embedder's panel lacks a rule that the study rests on.
    """
    embedder = open_embedder(workspace.settings.embedder)
    verify_relied_on(config.relied_on, embedder.name)
    return StudyContext(
        workspace=workspace,
        control=config.control_manifest,
        embedder=embedder,
        neighbours=config.neighbours,
        rate=config.false_positive_rate,
        relied_on=config.relied_on,
        matcher=matcher,
        # Studies compare what models reproduce whole, as their configurations say.
        whole_pictures=False,
        config=config,
        report_progress=report_progress,
    )
