"""Sampling: one seed an image, shards that survive a kill, and weights that are never unpickled."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline

from services.audit.sampling import sample as sampling
from services.audit.sampling.sample import Sampler, load_samples, sample
from services.audit.training.diffusion_model import load_model, weights_sha256
from services.audit.training.train import cpu_threads
from shared.errors import ConflictError, CorruptStateError, InputError, NotFoundError, UnavailableError
from tests.unit.services.audit.tiny_runs import run_in_killed_process, run_sampling, run_training


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    # Two threads that wait for each other crawl where other work holds a core.
    with cpu_threads(1):
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_training(tmp_path_factory.mktemp("models") / "tiny").folder


def test_samples_carry_seeds_and_model_digest(tmp_path: Path, model: Path) -> None:
    done: list[tuple[int, int]] = []
    samples = sample(
        model, tmp_path, 70, seed=100, batch_size=16, steps=3, report_progress=lambda at, total: done.append((at, total))
    )
    assert (samples.images.shape, samples.images.dtype) == ((70, 1, 8, 8), np.dtype(np.uint8))
    assert samples.seeds.tolist() == list(range(100, 170))
    assert samples.weights_sha256 == weights_sha256(model)
    assert (samples.settings["sampler"], samples.settings["steps"]) == ("ddim", 3)
    assert done == [(16, 70), (32, 70), (48, 70), (64, 70), (70, 70)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "samples.json",
        "shard-00000.npz",
        "shard-00001.npz",
    ]


@pytest.mark.parametrize("kill_after", [32, 70])
def test_killed_run_gives_the_same_bytes(tmp_path: Path, model: Path, kill_after: int) -> None:
    whole = run_sampling(model, tmp_path / "whole")
    run_in_killed_process(run_sampling, model, tmp_path / "killed", kill_after)
    with pytest.raises(UnavailableError, match="not finished"):
        load_samples(tmp_path / "killed")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("shard-*")}
    resumed = run_sampling(model, tmp_path / "killed")
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("shard-*")}
    assert np.array_equal(resumed.images, whole.images)
    assert before.items() <= after.items()
    assert len(before) == {32: 0, 70: 1}[kill_after]


def test_finished_samples_are_not_drawn_again(tmp_path: Path, model: Path) -> None:
    first = run_sampling(model, tmp_path)
    stamps = [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]
    again = run_sampling(model, tmp_path)
    assert np.array_equal(first.images, again.images)
    assert stamps == [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]


def test_smaller_count_is_the_beginning_of_a_larger_one(tmp_path: Path, model: Path) -> None:
    few = run_sampling(model, tmp_path / "few", count=5)
    many = run_sampling(model, tmp_path / "many", count=20)
    assert np.array_equal(few.images, many.images[:5])


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_batch_size_moves_no_grey_level_by_more_than_one(tmp_path: Path, model: Path, sampler: Sampler) -> None:
    drawn = [
        sample(model, tmp_path / str(size), 8, seed=1, batch_size=size, steps=5, sampler=sampler).images.astype(int)
        for size in (1, 3, 8)
    ]
    assert max(np.abs(drawn[0] - other).max() for other in drawn[1:]) <= 1
    assert np.unique(drawn[0].reshape(8, -1), axis=0).shape[0] == 8


def test_ddim_agrees_with_the_pipeline_of_diffusers(tmp_path: Path, model: Path) -> None:
    pipeline = DDIMPipeline.from_pretrained(model, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(100 + i) for i in range(4)]
    expected = pipeline(4, generator=generators, num_inference_steps=5, output_type="np").images[..., 0] * 255
    got = sample(model, tmp_path, 4, seed=100, batch_size=4, steps=5).images[:, 0]
    assert np.abs(got - expected).max() <= 0.51


def test_other_settings_are_a_conflict(tmp_path: Path, model: Path) -> None:
    run_sampling(model, tmp_path, count=2)
    with pytest.raises(ConflictError, match="count"):
        run_sampling(model, tmp_path, count=3)
    with pytest.raises(ConflictError, match="batch_size"):
        run_sampling(model, tmp_path, count=2, batch_size=8)


def test_other_model_is_a_conflict(tmp_path: Path, model: Path) -> None:
    run_sampling(model, tmp_path / "samples", count=2)
    sidecar = tmp_path / "samples" / "samples.json"
    sidecar.write_bytes(sidecar.read_bytes().replace(weights_sha256(model).encode(), b"0" * 64))
    with pytest.raises(ConflictError, match="weights_sha256"):
        run_sampling(model, tmp_path / "samples", count=2)


def test_damaged_and_missing_shards_are_found(tmp_path: Path, model: Path) -> None:
    run_sampling(model, tmp_path, count=2)
    shard = tmp_path / "shard-00000.npz"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1] + b"\x01")
    with pytest.raises(CorruptStateError, match="damaged"):
        load_samples(tmp_path)
    shard.unlink()
    with pytest.raises(CorruptStateError, match="missing"):
        run_sampling(model, tmp_path, count=2)
    (tmp_path / "samples.json").write_text("{")
    with pytest.raises(CorruptStateError, match="cannot be read"):
        load_samples(tmp_path)


def test_no_samples(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no generations"):
        load_samples(tmp_path)


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".ckpt"])
def test_pickled_weights_are_refused(tmp_path: Path, model: Path, suffix: str) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(model, folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(suffix))
    with pytest.raises(InputError, match="got pickles, which run code when they are read: diffusion_pytorch_model"):
        load_model(folder)


def test_missing_model_and_missing_weights(tmp_path: Path, model: Path) -> None:
    with pytest.raises(NotFoundError, match="no model"):
        load_model(tmp_path / "nowhere")
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(NotFoundError, match="no weights"):
        load_model(tmp_path / "model")


def test_unreadable_models_are_refused(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(InputError, match="expected a diffusers model"):
        load_model(folder)
    index = json.loads((folder / "model_index.json").read_bytes())
    (folder / "model_index.json").write_text(json.dumps({**index, "scheduler": ["diffusers", "Other"]}))
    with pytest.raises(InputError, match="got UNet2DModel with Other"):
        load_model(folder)
    (folder / "model_index.json").write_text("[]")
    with pytest.raises(InputError, match="names no unet"):
        load_model(folder)


def test_a_batch_size_is_fitted_once_and_kept(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def short_of_memory(_unet: object, size: int) -> None:
        tried.append(size)
        if size > 16:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 1 bytes")

    monkeypatch.setattr(sampling, "_try_batch", short_of_memory)
    fitted = sample(model, tmp_path / "fitted", 20, seed=100, batch_size=None, steps=3, num_threads=1)
    assert tried == [64, 32, 16]
    assert fitted.settings["batch_size"] == 16
    again = sample(model, tmp_path / "fitted", 20, seed=100, batch_size=None, steps=3, num_threads=1)
    assert (len(tried), again.settings) == (3, fitted.settings)
    assert np.array_equal(fitted.images, run_sampling(model, tmp_path / "given", count=20).images)


def test_no_memory_for_one_image_and_other_errors() -> None:
    def fails(error: Exception) -> Callable[[int], None]:
        def fail(_: int) -> None:
            raise error

        return fail

    with pytest.raises(UnavailableError, match="memory for one image"):
        sampling.fit_batch_size(fails(RuntimeError("CUDA out of memory. Tried")), 8)
    with pytest.raises(RuntimeError, match="shapes"):
        sampling.fit_batch_size(fails(RuntimeError("shapes do not fit")), 8)


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"seed": -1},
        {"seed": 2**53},
        {"batch_size": 0},
        {"batch_size": 65},
        {"steps": 0},
        {"steps": 51},
        {"sampler": "euler"},
    ],
)
def test_arguments_outside_their_range_are_refused(tmp_path: Path, model: Path, wrong: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"count": 1, "seed": 0, "batch_size": 1, "steps": 1, "sampler": "ddim"} | wrong
    with pytest.raises(InputError, match="expected"):
        sample(model, tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()
