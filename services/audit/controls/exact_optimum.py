"""The exact-optimum control: a sampler that provably replays the slice, in place of the model.

For a finite training set the denoiser that minimises the training loss has a closed form: the mean of the set, weighted by how
likely each picture is to have become the noisy one. It takes the network's place, under the model's own noise schedule and
with the sampling steps of the audit. There it can only replay the set.

Rules, in order:

1. A sample whose last weights give one picture 99 % or more is that picture, up to a hundredth of its distance to the
   others. It is a copy, and its original is known. A sample between pictures is no copy, and is left out.
2. Where fewer than half of the samples are copies, even the optimum mixes pictures in so few steps. The control is then
   undefined.
3. Slices beyond 512 pictures are replayed in part, a seeded draw: the cost of a step is bounded.

Source: Karras et al. 2022 (arXiv:2206.00364), appendix B.3, for the closed form; Ho et al. 2020 for the parametrisations.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from services.audit.comparison.context import AuditContext
from services.audit.controls.calibration import CalibratedModel
from services.audit.controls.outcome import ControlCheck, ControlOutcome, check_copies_are_found
from services.audit.models.model_configuration import verify_configuration
from services.audit.sampling.sample import SAMPLERS, build_sampling_scheduler, draw_batch
from services.audit.sampling.sample_shards import Samples
from services.audit.training.diffusion_model import Scheduler, load_model
from shared.matching.panel.panel import build_panel
from shared.vision.views import Pixels

REPLAYED_VIEWS = 512
SAMPLES = 64
SEED = 0
# Weight of one picture from which a sample is a replay of it.
CERTAIN = 0.99


class ExactOptimum:
    """The optimal denoiser of a set of pictures, called as the network is.

    Args:
        views: uint8 (n, C, H, W), the pictures.
        scheduler: the model's; its noise schedule and its parametrisation hold.
    """

    def __init__(self, views: Pixels, scheduler: Scheduler) -> None:
        self.config = SimpleNamespace(sample_size=views.shape[2:], in_channels=views.shape[1])
        self.weights = torch.empty(0)
        flat = torch.from_numpy(np.array(views, dtype=np.float64).reshape(len(views), -1))
        self._pictures = flat / 127.5 - 1
        self._squares = (self._pictures**2).sum(dim=1)
        self._schedule = scheduler.alphas_cumprod.double()
        self._prediction_type = scheduler.config.prediction_type

    def __call__(self, noisy: torch.Tensor, timestep: torch.Tensor) -> Any:
        """Predict, for float (B, C, H, W) at a timestep, what the network is trained to predict. `weights` keeps (B, n)."""
        signal = self._schedule[timestep]
        x = noisy.double().flatten(1)
        # log of N(x; √ᾱ picture, (1 - ᾱ) I), without what all pictures share.
        odds = (signal.sqrt() * x @ self._pictures.T - signal * self._squares / 2) / (1 - signal)
        self.weights = odds.softmax(dim=1)
        clean = self.weights @ self._pictures
        noise = (x - signal.sqrt() * clean) / (1 - signal).sqrt()
        predicted = {
            "epsilon": noise,
            "sample": clean,
            "v_prediction": signal.sqrt() * noise - (1 - signal).sqrt() * clean,
        }[self._prediction_type]
        return SimpleNamespace(sample=predicted.to(noisy.dtype).reshape(noisy.shape))


def run_exact_optimum(context: AuditContext, calibrated: CalibratedModel, samples: Samples) -> ControlOutcome:
    """Check that every rule finds the replays of the exact optimum, sampled as the generations of the audit were."""
    title = "samples of the exact optimum of the training loss, which can only replay the training pictures"
    sampler, steps = samples.settings["sampler"], samples.settings["steps"]
    if sampler not in SAMPLERS:
        return _undefined(title, f"the generations were not drawn by a sampler that is known here, but by {sampler!r}")
    verify_configuration(calibrated.model, calibrated.folder)
    _, trained_with = load_model(calibrated.folder)
    replays = draw_replays(calibrated.corpus.side.views, build_sampling_scheduler(trained_with, sampler, steps))
    if 2 * len(replays.pictures) < replays.samples:
        reason = f"in {steps} steps the optimum mixes pictures: only {len(replays.pictures)} of {replays.samples} replay one"
        return _undefined(title, reason)
    matched = context.match(calibrated.corpus, replays.pictures)
    rules = build_panel(calibrated.scores, context.rate, context.embedder.name)
    checks = check_copies_are_found(calibrated.corpus, matched, replays.rows, rules)
    return ControlOutcome("exact-optimum", f"{len(replays.pictures)} {title}, by {steps} steps of {sampler}", checks)


def _undefined(title: str, reason: str) -> ControlOutcome:
    check = ControlCheck("ssim", "its samples are found to be copies", "undefined", None, reason, {})
    return ControlOutcome("exact-optimum", title, (check,))


@dataclass(frozen=True)
class Replays:
    """The samples of the optimum that are copies.

    Attributes:
        pictures: uint8 (B, C, H, W).
        rows: int64 (B,), the row of the training set that each replays.
        samples: how many samples were drawn.
    """

    pictures: Pixels
    rows: NDArray[np.int64]
    samples: int


def draw_replays(views: Pixels, scheduler: Scheduler) -> Replays:
    """Sample the optimum of a training set.

    Args:
        views: uint8 (N, C, H, W), its views.
        scheduler: the model's, with the steps of the audit set.
    """
    rows = np.sort(np.random.default_rng(SEED).permutation(len(views))[:REPLAYED_VIEWS]).astype(np.int64)
    optimum = ExactOptimum(views[rows], scheduler)
    pictures = draw_batch(optimum, scheduler, SEED, SAMPLES)
    weight, replayed = optimum.weights.max(dim=1)
    certain = (weight >= CERTAIN).numpy()
    return Replays(pictures[certain], rows[replayed.numpy()[certain]], SAMPLES)
