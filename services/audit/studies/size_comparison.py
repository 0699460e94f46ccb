"""All models of one slice size, compared: their audits, what their checkpoints copied, and what twins share.

Rules, in order:

1. The control is matched once a slice. All models of the slice are judged by it, finished or as checkpoints.
2. A checkpoint is judged by the same threshold as the finished model, on the first of the same seeds.
3. Pictures were left out of the draw because they are alike to one that stayed. They are held against the same threshold,
   since the control has no such pictures and its rate does not speak of them.
4. Twins are compared on the union of their slices (`twins`), by the models of those seeds whose audits are sound.
5. The comparison is saved with its digest once the whole size is done, and loaded when the study goes on. One made with
   another embedder or other versions of packages is not loaded but made again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.audit.audits.audit import audit_calibrated
from services.audit.comparison.compare import HEADLINE_RULE
from services.audit.comparison.slice_calibration import SliceCalibration, calibrate_slice
from services.audit.controls.calibration import calibrate_with
from services.audit.sampling.sample_shards import load_samples
from services.audit.studies.study_config import StudyModel
from services.audit.studies.study_context import StudyContext
from services.audit.studies.twins import compare_twins
from shared.canonical import canonical_json, sha256_hex
from shared.code_version import package_versions
from shared.errors import CorruptStateError
from shared.files import save_atomically
from shared.matching.calibration.rate_intervals import build_rate, rate_json
from shared.records.models import Audit, load_model_record
from shared.vision.embedding import Embedder
from shared.vision.views import Pixels


@dataclass(frozen=True)
class SizeComparison:
    """The figures of all models of one slice size, JSON values.

    Attributes:
        size: pictures in a slice.
        audits: id of each model's audit, by the model's name.
        kept: the figures of each model's checkpoints, by the model's name.
        left_out: for each slice's manifest, the rate of pictures left out of the draw that exceed its threshold; empty where
            none was left out.
        twins: the comparison of the twins (`twins.compare_twins`); None where there is one slice of the size, or no seed of
            which both are sound.
    """

    size: int
    audits: dict[str, str]
    kept: dict[str, list[dict[str, Any]]]
    left_out: dict[str, dict[str, float]]
    twins: dict[str, Any] | None


def compare_size(context: StudyContext, size: int, alike: Pixels) -> SizeComparison:
    """Compare all models of a slice size, or load their comparison.

    Args:
        context: of the study.
        size: pictures in a slice.
        alike: uint8 (A, C, H, W), pictures left out of the draw (`StudySlices`).

    Raises:
        CorruptStateError: a saved comparison cannot be read.
    """
    path, made_with = context.folder / f"size-{size}.json", _made_with(context.embedder)
    saved = _load(path, made_with)
    if saved is not None:
        return saved
    models = context.config.models_of_size(size)
    slices = {
        manifest: calibrate_slice(context, manifest, context.recipe)
        for manifest in dict.fromkeys(model.manifest for model in models)
    }
    audits, checkpoints = {}, {}
    for model in models:
        audits[model.name] = _audit(context, model, slices[model.manifest])
        checkpoints[model.name] = [
            _measure_checkpoint(context, model, slices[model.manifest], update) for update in context.config.kept_updates
        ]
    sound = [model for model in models if audits[model.name].state == "completed"]
    comparison = SizeComparison(
        size,
        {name: audit.id for name, audit in audits.items()},
        checkpoints,
        _measure_left_out(context, slices, alike) if len(alike) else {},
        _compare_twins(context, list(slices.values()), sound),
    )
    _save(path, comparison, made_with)
    return comparison


def _audit(context: StudyContext, model: StudyModel, calibration: SliceCalibration) -> Audit:
    with context.workspace.reading() as session:
        record = load_model_record(session, model.name)
    calibrated = calibrate_with(context.workspace, record, calibration)
    audit, _ = audit_calibrated(context, calibrated, context.samples_folder(model))
    return audit


def _measure_checkpoint(
    context: StudyContext, model: StudyModel, calibration: SliceCalibration, update: int
) -> dict[str, Any]:
    samples = load_samples(context.checkpoint_samples_folder(model, update))
    rows, fired = _find_copies(context, calibration, samples.images)
    rate = build_rate(int(fired.sum()), len(fired))
    return {
        "updates": update,
        "generations": rate.trials,
        "copies": rate.hits,
        "rate": rate.value,
        "interval": [rate.low, rate.high],
        "distinct_items": len(calibration.corpus.ids_of(rows[fired])),
        "weights_sha256": samples.weights_sha256,
    }


def _measure_left_out(
    context: StudyContext, slices: Mapping[str, SliceCalibration], alike: Pixels
) -> dict[str, dict[str, float]]:
    rates = {}
    for manifest, calibration in slices.items():
        _, fired = _find_copies(context, calibration, alike)
        rates[manifest] = rate_json(build_rate(int(fired.sum()), len(fired)))
    return rates


def _find_copies(
    context: StudyContext, calibration: SliceCalibration, pictures: Pixels
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the best row of each picture, int64 (G,), and whether it is a copy, bool (G,), by the headline's rule."""
    rows, scores = context.find_best_ssim(pictures, calibration.corpus.side.views, calibration.corpus.vectors)
    return rows, calibration.scores.null(HEADLINE_RULE).fires(scores, context.rate)


def _compare_twins(
    context: StudyContext, slices: list[SliceCalibration], sound: Sequence[StudyModel]
) -> dict[str, Any] | None:
    by_twin_and_seed = {(model.twin, model.seed): model for model in sound}
    letters = context.config.twin_letters
    seeds = [seed for seed in context.config.seeds if all((twin, seed) in by_twin_and_seed for twin in letters)]
    if len(slices) < 2 or not seeds:
        return None
    generations = [
        [load_samples(context.samples_folder(by_twin_and_seed[twin, seed])).images for seed in seeds] for twin in letters
    ]
    return compare_twins(context, slices, generations)


def _made_with(embedder: Embedder) -> dict[str, Any]:
    return {"embedder": embedder.name, "embedder_sha256": embedder.sha256, "packages": package_versions()}


def _save(path: Path, comparison: SizeComparison, made_with: dict[str, Any]) -> None:
    content = asdict(comparison)
    saved = {"made_with": made_with, "compared": content, "sha256": sha256_hex(canonical_json(content))}
    save_atomically(path, canonical_json(saved))


def _load(path: Path, made_with: dict[str, Any]) -> SizeComparison | None:
    """Return the saved comparison; None where there is none that was made with this embedder and these packages."""
    if not path.is_file():
        return None
    try:
        saved = json.loads(path.read_bytes())
        content, intact = saved["compared"], saved["sha256"] == sha256_hex(canonical_json(saved["compared"]))
        if not intact:
            raise CorruptStateError(f"{path.name} was changed since it was written", code="study_damaged")
        return SizeComparison(**content) if saved["made_with"] == made_with else None
    except (ValueError, TypeError, LookupError) as error:
        raise CorruptStateError(f"{path.name} cannot be read: {error}", code="study_damaged") from error
