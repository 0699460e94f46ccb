"""The exact-optimum control: a sampler that provably replays the slice, in place of the model.

For a finite training set the denoiser that minimises the training loss has a closed form: the mean of the set, weighted by how
likely each picture is to have become the noisy one. Put in the network's place, with the model's own noise schedule and the
very sampling steps of the audit, it can only replay the set.

Rules, in order:

1. A sample whose last weights give one picture 99 % or more is that picture, up to a hundredth of its distance to the
   others: it is a copy, and known of which. A sample between pictures is none, and is left out.
2. Where fewer than half of the samples are copies, so few steps were taken that even the optimum mixes pictures; the control
   is then undefined.
3. Slices beyond 512 pictures are replayed in part, a seeded draw: the cost of a step is bounded.

Source: Karras et al. 2022 (arXiv:2206.00364), appendix B.3, for the closed form; Ho et al. 2020 for the parametrisations.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from services.audit.sampling.sample import draw_batch
from services.audit.training.diffusion_model import Scheduler
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
        """Predict, for float (B, C, H, W) at a timestep, what the network is trained to predict; kept: the weights (B, n)."""
        kept = self._schedule[timestep]
        x = noisy.double().flatten(1)
        # log of N(x; √ᾱ picture, (1 - ᾱ) I), without what all pictures share.
        odds = (kept.sqrt() * x @ self._pictures.T - kept * self._squares / 2) / (1 - kept)
        self.weights = odds.softmax(dim=1)
        clean = self.weights @ self._pictures
        noise = (x - kept.sqrt() * clean) / (1 - kept).sqrt()
        predicted = {
            "epsilon": noise,
            "sample": clean,
            "v_prediction": kept.sqrt() * noise - (1 - kept).sqrt() * clean,
        }[self._prediction_type]
        return SimpleNamespace(sample=predicted.to(noisy.dtype).reshape(noisy.shape))


@dataclass(frozen=True)
class Replays:
    """Samples of the optimum that are copies.

    Attributes:
        pictures: uint8 (B, C, H, W).
        copied: int64 (B,), the row of the training set that each replays.
        drawn: how many samples were drawn.
    """

    pictures: Pixels
    copied: NDArray[np.int64]
    drawn: int


def draw_replays(views: Pixels, scheduler: Scheduler) -> Replays:
    """Sample the optimum of a training set.

    Args:
        views: uint8 (N, C, H, W), its views.
        scheduler: the model's, with the steps of the audit set.
    """
    rows = np.sort(np.random.default_rng(SEED).permutation(len(views))[:REPLAYED_VIEWS]).astype(np.int64)
    optimum = ExactOptimum(views[rows], scheduler)
    drawn = draw_batch(optimum, scheduler, SEED, SAMPLES)
    weight, replayed = optimum.weights.max(dim=1)
    certain = (weight >= CERTAIN).numpy()
    return Replays(drawn[certain], rows[replayed.numpy()[certain]], SAMPLES)
