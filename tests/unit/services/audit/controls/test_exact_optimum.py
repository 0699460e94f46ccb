"""The exact optimum: what it predicts is the weighted mean, and what its sampler draws are the pictures of the set."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from services.audit.controls.exact_optimum import SAMPLES, ExactOptimum, draw_replays
from services.audit.sampling.sample import Sampler, build_sampling_scheduler
from services.audit.training.train import cpu_threads
from tests.unit.services.audit.tiny_runs import build_views

PREDICTIONS = ("epsilon", "sample", "v_prediction")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with cpu_threads(1):
        yield


def schedule(prediction_type: str = "epsilon", spacing: str = "leading") -> DDPMScheduler:
    return DDPMScheduler(
        num_train_timesteps=100,
        beta_schedule="squaredcos_cap_v2",
        prediction_type=prediction_type,
        timestep_spacing=spacing,
    )


@pytest.mark.parametrize("prediction_type", PREDICTIONS)
def test_it_predicts_the_mean_weighted_by_likelihood(prediction_type: str) -> None:
    views, scheduler, timestep = build_views(3), schedule(prediction_type), torch.tensor(70)
    noisy = torch.randn((2, 1, 8, 8), generator=torch.Generator().manual_seed(1))
    got = ExactOptimum(views, scheduler)(noisy, timestep).sample.numpy()
    kept = float(scheduler.alphas_cumprod[70])
    for x, predicted in zip(noisy.numpy().astype(np.float64), got, strict=True):
        pictures = views / 127.5 - 1
        likely = np.array([np.exp(-((x - np.sqrt(kept) * one) ** 2).sum() / (2 * (1 - kept))) for one in pictures])
        clean = sum(weight * one for weight, one in zip(likely / likely.sum(), pictures, strict=True))
        noise = (x - np.sqrt(kept) * clean) / np.sqrt(1 - kept)
        velocity = np.sqrt(kept) * noise - np.sqrt(1 - kept) * clean
        expected = {"epsilon": noise, "sample": clean, "v_prediction": velocity}[prediction_type]
        assert predicted == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("prediction_type", PREDICTIONS)
@pytest.mark.parametrize(
    ("sampler", "steps", "spacing"), [("ddim", 10, "leading"), ("ddim", 5, "trailing"), ("ddpm", 50, "leading")]
)
def test_its_samples_are_the_pictures(prediction_type: str, sampler: Sampler, steps: int, spacing: str) -> None:
    views = build_views(5)
    replays = draw_replays(views, build_sampling_scheduler(schedule(prediction_type, spacing), sampler, steps))
    assert len(replays.pictures) > SAMPLES // 2
    assert len(np.unique(replays.rows)) > 1
    gaps = np.abs(replays.pictures.astype(int) - views[replays.rows])
    assert gaps.max() <= 3


def test_one_step_from_noise_mixes_pictures_and_replays_none() -> None:
    # Two pictures that differ in one pixel by little: at the last noise level nothing tells them apart.
    views = np.repeat(build_views(1), 2, axis=0)
    views[1, 0, 0, 0] ^= 1
    replays = draw_replays(views, build_sampling_scheduler(schedule(), "ddim", 10))
    assert len(replays.pictures) == 0
