"""All models of one slice size, compared: their audits, what they copied earlier in training, and what twins share.

Rules, in order:

1. The control is measured once a slice; all models of the slice are judged by it, at the end and as they were kept before.
2. A kept model is judged by the same threshold, on the first of the same seeds as the finished one.
3. Twins are compared on the union of their slices (`twins`).
4. What was found is written once the whole size is compared, and found again: the unit that a killed study repeats.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.audit.audits.audit import audit_calibrated
from services.audit.comparison import compare, match_against
from services.audit.controls import MeasuredSlice, calibrate_by, measure_slice
from services.audit.models.trained_models import model_recipe
from services.audit.sampling.sample import load_samples
from services.audit.sampling.samples import samples_folder
from services.audit.studies.study_config import SAMPLE_SEED, StudyConfig, StudyModel
from services.audit.studies.twins import compare_twins
from shared.canonical import canonical_json
from shared.errors import CorruptStateError
from shared.files import save_atomically
from shared.matching.intervals import build_rate
from shared.records.models import load_model_record
from shared.vision.embedding import Embedder
from shared.workspace import Workspace


@dataclass(frozen=True)
class SizeComparison:
    """What the models of one slice size came to, in JSON values.

    Attributes:
        size: pictures in a slice.
        audits: id of each model's audit, by the model's name.
        kept: for each model's name, what it copied after fewer updates.
        twins: what the twins came to (`twins.compare_twins`); None where there is one slice of the size.
    """

    size: int
    audits: dict[str, str]
    kept: dict[str, list[dict[str, Any]]]
    twins: dict[str, Any] | None


def compare_size(
    workspace: Workspace,
    config: StudyConfig,
    size: int,
    control: str,
    samples: Mapping[str, Path],
    embedder: Embedder,
    folder: Path,
) -> SizeComparison:
    """Compare all models of a slice size, or return what was compared already.

    Args:
        workspace: where models and manifests are.
        config: the study.
        size: pictures in a slice.
        control: name of the control's manifest.
        samples: folder of samples by the model's name.
        embedder: makes the shortlists.
        folder: of this configuration's intermediate results.

    Raises:
        CorruptStateError: what was compared already cannot be read.
    """
    path = folder / f"size-{size}.json"
    if path.is_file():
        return _load(path)
    recipe = model_recipe(config.training.resolution, config.training.channels)
    models = [model for model in config.models() if model.size == size]
    slices = {
        manifest: measure_slice(workspace, manifest, control, recipe, embedder, config.neighbours)
        for manifest in dict.fromkeys(model.manifest for model in models)
    }
    audits, kept = {}, {}
    for model in models:
        measured = slices[model.manifest]
        audits[model.name] = _audit(workspace, config, model, measured, samples[model.name], embedder)
        kept[model.name] = _compare_kept(workspace, config, model, measured, embedder)
    twins = None
    if len(slices) > 1:
        twins = compare_twins(list(slices.values()), _of_each_slice(config, models, samples), embedder, config)
    compared = SizeComparison(size, audits, kept, twins)
    save_atomically(path, canonical_json(asdict(compared)))
    return compared


def _audit(
    workspace: Workspace, config: StudyConfig, model: StudyModel, measured: MeasuredSlice, samples: Path, embedder: Embedder
) -> str:
    with workspace.reading() as session:
        record = load_model_record(session, model.name)
    calibrated = calibrate_by(workspace, record, measured)
    audit, _ = audit_calibrated(
        workspace,
        calibrated,
        samples,
        embedder,
        config.neighbours,
        config.false_positive_rate,
        relied_on=config.relied_on,
    )
    return audit.id


def _compare_kept(
    workspace: Workspace, config: StudyConfig, model: StudyModel, measured: MeasuredSlice, embedder: Embedder
) -> list[dict[str, Any]]:
    found = []
    for update in config.kept_updates:
        drawn = load_samples(
            samples_folder(workspace, model.name, config.kept_generations, SAMPLE_SEED, config.sampling_steps, kept_at=update)
        )
        matched = match_against(measured.corpus, drawn.images, embedder, config.neighbours)
        judged = compare(measured.corpus, matched, measured.control_matched, measured.scores, config.false_positive_rate)
        rate = build_rate(judged.copies.hits, judged.copies.trials)
        found.append(
            {
                "updates": update,
                "generations": rate.trials,
                "copies": rate.hits,
                "rate": rate.value,
                "interval": [rate.low, rate.high],
                "distinct_items": len(judged.copied_items),
                "weights_sha256": drawn.weights_sha256,
            }
        )
    return found


def _of_each_slice(config: StudyConfig, models: Sequence[StudyModel], samples: Mapping[str, Path]) -> list[list[Any]]:
    """Return the pictures of the models of each slice: a list a twin, in the order of the seeds."""
    return [
        [load_samples(samples[model.name]).images for model in models if model.twin == twin] for twin in config.twin_letters
    ]


def _load(path: Path) -> SizeComparison:
    try:
        return SizeComparison(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise CorruptStateError(f"{path.name} cannot be read: {error}", code="study_damaged") from error
