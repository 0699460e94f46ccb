"""Training in half precision and by several processes: the same run, up to rounding."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from services.audit.training.accelerated_training import open_accelerator
from services.audit.training.train import cpu_threads, train
from shared.errors import InputError
from tests.support.paths import ROOT
from tests.unit.services.audit.tiny_runs import CONFIG, build_views, run_in_killed_process, run_training

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
# What a process of several runs; the launcher says which it is.
PROGRAM = """
import sys
from pathlib import Path
from services.audit.training.accelerated_training import open_accelerator
from services.audit.training.train import train
from tests.unit.services.audit.tiny_runs import CONFIG, build_views
accelerator = open_accelerator(CONFIG)
assert accelerator is not None and accelerator.num_processes == 2
for _ in range(2):  # the second time it finds the finished model
    train(build_views(), CONFIG, Path(sys.argv[1]), manifest_root="root-1", model_name="tiny", accelerator=accelerator)
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with cpu_threads(1):
        yield


def test_full_precision_on_the_cpu_takes_none_of_it() -> None:
    if not torch.cuda.is_available():
        assert open_accelerator(CONFIG) is None


# Two processes that import torch, over gloo: some seconds.
def test_two_processes_make_the_run_of_one(tmp_path: Path) -> None:
    alone = run_training(tmp_path / "alone")
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    # What a stopped run left is gone on from by both.
    run_in_killed_process(run_training, tmp_path / "together", 5)
    command = [
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        "127.0.0.1:0",
        "--local-addr",
        "127.0.0.1",
        str(tmp_path / "program.py"),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command, str(tmp_path / "together")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    expected, got = load_file(alone.folder / WEIGHTS), load_file(tmp_path / "together" / WEIGHTS)
    assert expected.keys() == got.keys()
    largest = max(float((expected[name] - got[name]).abs().max()) for name in expected)
    moved = max(float(weight.abs().max()) for weight in expected.values())
    assert largest < 1e-4 * moved


def test_bfloat16_trains_resumes_and_keeps_full_weights(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"mixed_precision": "bf16"})
    accelerator = open_accelerator(config)
    assert accelerator is not None
    whole = train(build_views(), config, tmp_path / "bf16", manifest_root="root-1", model_name="tiny", accelerator=accelerator)
    weights = load_file(whole.folder / WEIGHTS)
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    full = load_file(run_training(tmp_path / "full").folder / WEIGHTS)
    gaps = [float((weights[name] - full[name]).abs().max()) for name in full]
    assert 0 < max(gaps) < 0.05


def test_what_the_machine_or_the_batch_does_not_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="expected a GPU"):
        open_accelerator(CONFIG.model_copy(update={"mixed_precision": "fp16"}))
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(InputError, match="divisible by 3 processes"):
        open_accelerator(CONFIG)
