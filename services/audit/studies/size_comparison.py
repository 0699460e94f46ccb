"""All models of one slice size, compared: their audits, what they copied earlier in training, and what twins share.

Rules, in order:

1. The control is measured once a slice; all models of the slice are judged by it, at the end and as they were kept before.
2. A kept model is judged by the same threshold, on the first of the same seeds as the finished one.
3. Pictures that were left out of the draw, because they are alike to one that stayed, are held against the same threshold: the
   control is without such, and its rate does not speak of them.
4. Twins are compared on the union of their slices (`twins`), by the models of those seeds whose audits are sound.
5. What was found is written once the whole size is compared, with its digest, and found again: the unit that a killed study
   repeats. What another embedder or other versions of packages found is not taken up, but found anew.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.audit.audits.audit import audit_calibrated
from services.audit.comparison.compare import HEADLINE_RULE, Match, best_in_shortlists, copied_items, match_against
from services.audit.controls import MeasuredSlice, calibrate_by, measure_slice
from services.audit.models.trained_models import model_recipe
from services.audit.sampling.sample import load_samples
from services.audit.sampling.samples import samples_folder
from services.audit.studies.study_config import SAMPLE_SEED, StudyConfig, StudyModel
from services.audit.studies.study_slices import StudySlices
from services.audit.studies.twins import compare_twins
from shared.canonical import canonical_json, sha256_hex
from shared.code_version import package_versions
from shared.errors import CorruptStateError
from shared.files import save_atomically
from shared.matching.calibration.rate_intervals import build_rate, rate_json
from shared.records.models import Audit, load_model_record
from shared.vision.embedding import Embedder
from shared.vision.views import Pixels
from shared.workspace import Workspace


@dataclass(frozen=True)
class SizeComparison:
    """What the models of one slice size came to, in JSON values.

    Attributes:
        size: pictures in a slice.
        audits: id of each model's audit, by the model's name.
        kept: for each model's name, what it copied after fewer updates.
        left_out: for each slice's manifest, the rate of pictures left out of the draw that exceed its threshold; empty where
            none was left out.
        twins: what the twins came to (`twins.compare_twins`); None where there is one slice of the size, or no seed of which
            both are sound.
    """

    size: int
    audits: dict[str, str]
    kept: dict[str, list[dict[str, Any]]]
    left_out: dict[str, dict[str, float]]
    twins: dict[str, Any] | None


def compare_size(
    workspace: Workspace,
    config: StudyConfig,
    size: int,
    drawn: StudySlices,
    samples: Mapping[str, Path],
    embedder: Embedder,
    folder: Path,
    match: Match = match_against,
) -> SizeComparison:
    """Compare all models of a slice size, or return what was compared already.

    Args:
        workspace: where models and manifests are.
        config: the study.
        size: pictures in a slice.
        drawn: the control, and what was left out of the draw.
        samples: folder of samples by the model's name.
        embedder: makes the shortlists.
        folder: of this configuration's intermediate results.
        match: matches generations and control.

    Raises:
        CorruptStateError: what was compared already cannot be read.
    """
    path, made_with = folder / f"size-{size}.json", _made_with(embedder)
    found = _load(path, made_with)
    if found is not None:
        return found
    recipe = model_recipe(config.training.resolution, config.training.channels)
    models = [model for model in config.models() if model.size == size]
    slices = {
        manifest: measure_slice(workspace, manifest, drawn.control, recipe, embedder, config.neighbours, match)
        for manifest in dict.fromkeys(model.manifest for model in models)
    }
    audits, kept = {}, {}
    for model in models:
        measured = slices[model.manifest]
        audits[model.name] = _audit(workspace, config, model, measured, samples[model.name], embedder, match)
        kept[model.name] = _compare_kept(workspace, config, model, measured, embedder)
    sound = [model for model in models if audits[model.name].state == "completed"]
    compared = SizeComparison(
        size,
        {name: audit.id for name, audit in audits.items()},
        kept,
        _measure_left_out(slices, drawn.alike, embedder, config) if len(drawn.alike) else {},
        _compare_twins(list(slices.values()), sound, samples, embedder, config),
    )
    _save(path, compared, made_with)
    return compared


def _measure_left_out(
    slices: Mapping[str, MeasuredSlice], pictures: Pixels, embedder: Embedder, config: StudyConfig
) -> dict[str, dict[str, float]]:
    rates = {}
    for manifest, measured in slices.items():
        corpus = measured.corpus
        _, scores = best_in_shortlists(pictures, corpus.side.views, corpus.vectors, embedder, config.neighbours)
        fired = measured.scores.null(HEADLINE_RULE).fires(scores, config.false_positive_rate)
        rates[manifest] = rate_json(build_rate(int(fired.sum()), len(fired)))
    return rates


def _compare_twins(
    slices: list[MeasuredSlice],
    sound: Sequence[StudyModel],
    samples: Mapping[str, Path],
    embedder: Embedder,
    config: StudyConfig,
) -> dict[str, Any] | None:
    names = {(model.twin, model.seed): model.name for model in sound}
    seeds = [seed for seed in config.seeds if all((twin, seed) in names for twin in config.twin_letters)]
    if len(slices) < 2 or not seeds:
        return None
    drawn = [[load_samples(samples[names[twin, seed]]).images for seed in seeds] for twin in config.twin_letters]
    return compare_twins(slices, drawn, embedder, config)


def _audit(
    workspace: Workspace,
    config: StudyConfig,
    model: StudyModel,
    measured: MeasuredSlice,
    samples: Path,
    embedder: Embedder,
    match: Match,
) -> Audit:
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
        match=match,
    )
    return audit


def _compare_kept(
    workspace: Workspace, config: StudyConfig, model: StudyModel, measured: MeasuredSlice, embedder: Embedder
) -> list[dict[str, Any]]:
    found, corpus = [], measured.corpus
    for update in config.kept_updates:
        drawn = load_samples(
            samples_folder(workspace, model.name, config.kept_generations, SAMPLE_SEED, config.sampling_steps, kept_at=update)
        )
        rows, scores = best_in_shortlists(drawn.images, corpus.side.views, corpus.vectors, embedder, config.neighbours)
        fired = measured.scores.null(HEADLINE_RULE).fires(scores, config.false_positive_rate)
        rate = build_rate(int(fired.sum()), len(fired))
        found.append(
            {
                "updates": update,
                "generations": rate.trials,
                "copies": rate.hits,
                "rate": rate.value,
                "interval": [rate.low, rate.high],
                "distinct_items": len(copied_items(corpus, rows[fired])),
                "weights_sha256": drawn.weights_sha256,
            }
        )
    return found


def _made_with(embedder: Embedder) -> dict[str, Any]:
    return {"embedder": embedder.name, "embedder_sha256": embedder.sha256, "packages": package_versions()}


def _save(path: Path, compared: SizeComparison, made_with: dict[str, Any]) -> None:
    content = asdict(compared)
    kept = {"made_with": made_with, "compared": content, "sha256": sha256_hex(canonical_json(content))}
    save_atomically(path, canonical_json(kept))


def _load(path: Path, made_with: dict[str, Any]) -> SizeComparison | None:
    """Return what was compared already, None where nothing was or not with this embedder and these packages."""
    if not path.is_file():
        return None
    try:
        kept = json.loads(path.read_bytes())
        content, intact = kept["compared"], kept["sha256"] == sha256_hex(canonical_json(kept["compared"]))
        if not intact:
            raise CorruptStateError(f"{path.name} was changed since it was written", code="study_damaged")
        return SizeComparison(**content) if kept["made_with"] == made_with else None
    except (ValueError, TypeError, LookupError) as error:
        raise CorruptStateError(f"{path.name} cannot be read: {error}", code="study_damaged") from error
