"""Model folders: which weight files are read, and which are refused unopened."""

from pathlib import Path

import pytest

from services.audit.training.diffusion_model import (
    build_scheduler,
    build_unet,
    load_model,
    save_model,
    verify_weights,
    weight_files,
    weights_sha256,
    weights_variant,
)
from shared.errors import CorruptStateError, InputError, NotFoundError
from tests.unit.services.audit.tiny_runs import CONFIG

WEIGHTS = "diffusion_pytorch_model"


def add(folder: Path, *names: str) -> None:
    (folder / "unet").mkdir(exist_ok=True)
    for name in names:
        (folder / "unet" / name).write_bytes(name.encode())


def test_full_precision_is_read_before_a_variant_and_a_variant_alone(tmp_path: Path) -> None:
    add(tmp_path, f"{WEIGHTS}.fp16.safetensors")
    assert weights_variant(weight_files(tmp_path)) == "fp16"
    add(tmp_path, f"{WEIGHTS}.bf16.safetensors")
    with pytest.raises(InputError, match="bf16, fp16"):
        weight_files(tmp_path)
    add(tmp_path, f"{WEIGHTS}.safetensors")
    assert [path.name for path in weight_files(tmp_path)] == [f"{WEIGHTS}.safetensors"]
    assert weights_variant(weight_files(tmp_path)) is None


def test_weights_in_parts_have_one_digest(tmp_path: Path) -> None:
    add(tmp_path, f"{WEIGHTS}-00001-of-00002.safetensors", f"{WEIGHTS}-00002-of-00002.safetensors")
    digest = weights_sha256(tmp_path)
    verify_weights(tmp_path, digest)
    (tmp_path / "unet" / f"{WEIGHTS}-00002-of-00002.safetensors").write_bytes(b"other")
    with pytest.raises(CorruptStateError, match=digest):
        verify_weights(tmp_path, digest)


def test_pickles_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        weight_files(tmp_path)
    add(tmp_path, f"{WEIGHTS}.bin")
    with pytest.raises(InputError, match="pickles"):
        weight_files(tmp_path)


def test_a_saved_model_is_loaded_whole_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    save_model(build_unet(CONFIG, 1), build_scheduler(CONFIG), tmp_path)
    unet, scheduler = load_model(tmp_path)
    assert (unet.config.sample_size, scheduler.config.prediction_type) == (8, "v_prediction")
    [weights] = weight_files(tmp_path)
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(InputError) as refused:
        load_model(tmp_path)
    assert refused.value.code == "model_unreadable"
    (tmp_path / "model_index.json").unlink()
    with pytest.raises(NotFoundError):
        load_model(tmp_path)
