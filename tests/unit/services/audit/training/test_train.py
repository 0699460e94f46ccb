"""Training: the folder it leaves, and that a run stopped anywhere reaches the same weights."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDPMPipeline

from services.audit.training.atomic_folders import UNFINISHED_PREFIX, locked_folder
from services.audit.training.diffusion_model import load_model, weights_sha256
from services.audit.training.model_checkpoints import find_model_checkpoint
from services.audit.training.presets import DEMO_CONFIG
from services.audit.training.train import TrainedModel, TrainingConfig, cpu_threads, load_training_config, train
from services.audit.training.training_checkpoints import checkpoint_folders
from services.audit.training.training_state import DataOrder, build_training_state
from shared.errors import ConflictError, CorruptStateError, InputError, NotFoundError, UnavailableError
from tests.unit.services.audit.tiny_runs import CHECKPOINT_UPDATES, CONFIG, build_views, run_in_killed_process, run_training


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    # Two threads that wait for each other crawl where other work holds a core.
    with cpu_threads(1):
        yield


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return run_training(tmp_path_factory.mktemp("models") / "whole")


def changed(**settings: object) -> TrainingConfig:
    return TrainingConfig(**{**CONFIG.model_dump(), **settings})


def test_finished_folder_is_what_diffusers_loads(uninterrupted: TrainedModel) -> None:
    pipeline = DDPMPipeline.from_pretrained(uninterrupted.folder, local_files_only=True)
    assert type(pipeline.unet).__name__ == "UNet2DModel"
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    assert {path.name for path in uninterrupted.folder.iterdir()} == {
        "README.md",
        "kept",
        "model_index.json",
        "scheduler",
        "training.json",
        "unet",
    }


def test_card_and_record_name_the_manifest_root(uninterrupted: TrainedModel) -> None:
    record = json.loads((uninterrupted.folder / "training.json").read_bytes())
    card = (uninterrupted.folder / "README.md").read_text()
    assert record["manifest_root"] == "root-1"
    assert record["weights_sha256"] == uninterrupted.weights_sha256
    assert "root-1" in card
    assert uninterrupted.weights_sha256 in card
    assert load_training_config(uninterrupted.folder) == CONFIG
    assert (uninterrupted.updates, uninterrupted.config_sha256) == (9, CONFIG.sha256)


def test_a_model_is_kept_as_it_was_and_training_goes_on_as_if_it_were_not(tmp_path: Path, uninterrupted: TrainedModel) -> None:
    plain = train(build_views(), CONFIG, tmp_path / "plain", manifest_root="root-1", model_name="tiny")
    assert plain.weights_sha256 == uninterrupted.weights_sha256
    state = build_training_state(CONFIG, 5)
    for _ in range(CHECKPOINT_UPDATES[0]):
        state.update(build_views())
    kept, _ = load_model(find_model_checkpoint(uninterrupted.folder, CHECKPOINT_UPDATES[0]))
    for name, weights in state.finish().state_dict().items():
        assert torch.equal(kept.state_dict()[name], weights), name


def test_only_what_was_kept_is_found(uninterrupted: TrainedModel) -> None:
    with pytest.raises(NotFoundError, match="not kept at update 6"):
        find_model_checkpoint(uninterrupted.folder, 6)


# Before the first checkpoint, on one, after one, and after the last, which is at the last update.
@pytest.mark.parametrize("kill_after", [1, 4, 7, 9])
def test_killed_run_reaches_the_same_weights(tmp_path: Path, uninterrupted: TrainedModel, kill_after: int) -> None:
    run_in_killed_process(run_training, tmp_path / "model", kill_after)
    left = [path.name for path in checkpoint_folders(tmp_path / "model")]
    assert left == {1: [], 4: ["checkpoint-4"], 7: ["checkpoint-6"], 9: ["checkpoint-9"]}[kill_after]
    assert run_training(tmp_path / "model").weights_sha256 == uninterrupted.weights_sha256
    assert checkpoint_folders(tmp_path / "model") == []
    kept = [
        weights_sha256(find_model_checkpoint(folder, CHECKPOINT_UPDATES[0]))
        for folder in (tmp_path / "model", uninterrupted.folder)
    ]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("lr_scheduler", ["constant", "cosine"])
def test_other_schedules_resume_too(tmp_path: Path, lr_scheduler: str) -> None:
    config = changed(lr_scheduler=lr_scheduler, use_ema=False, prediction_type="epsilon", weighting_scheme="none")
    whole = run_training(tmp_path / "whole", config=config)
    run_in_killed_process(run_training, tmp_path / "killed", 5, config)
    assert run_training(tmp_path / "killed", config=config).weights_sha256 == whole.weights_sha256


def test_kill_while_saving_the_finished_model(tmp_path: Path, uninterrupted: TrainedModel) -> None:
    folder = tmp_path / "model"
    run_in_killed_process(run_training, folder, 9)
    # What a kill between the moves of the finished parts leaves: some moved, no training.json, half-written folders.
    shutil.copytree(uninterrupted.folder / "unet", folder / "unet")
    shutil.copy(uninterrupted.folder / "model_index.json", folder)
    (folder / "finished").mkdir()
    (folder / f"{UNFINISHED_PREFIX}half").mkdir()
    assert run_training(folder).weights_sha256 == uninterrupted.weights_sha256
    assert {path.name for path in folder.iterdir()} == {path.name for path in uninterrupted.folder.iterdir()}


def test_finished_folder_is_returned_without_training(uninterrupted: TrainedModel) -> None:
    steps: list[int] = []
    again = train(
        build_views(),
        CONFIG,
        uninterrupted.folder,
        manifest_root="root-1",
        model_name="tiny",
        report_progress=lambda done, _: steps.append(done),
    )
    assert again == uninterrupted
    assert steps == []


def test_another_run_in_a_finished_folder_is_a_conflict(uninterrupted: TrainedModel) -> None:
    with pytest.raises(ConflictError, match="config_sha256"):
        run_training(uninterrupted.folder, config=changed(seed=1))
    with pytest.raises(ConflictError, match="manifest_root"):
        train(build_views(), CONFIG, uninterrupted.folder, manifest_root="root-2", model_name="tiny")
    with pytest.raises(ConflictError, match="views_sha256"):
        train(255 - build_views(), CONFIG, uninterrupted.folder, manifest_root="root-1", model_name="tiny")


def test_another_run_in_a_stopped_folder_is_a_conflict(tmp_path: Path) -> None:
    run_in_killed_process(run_training, tmp_path, 3)
    with pytest.raises(ConflictError, match="config_sha256"):
        run_training(tmp_path, config=changed(learning_rate=1e-3))


def test_model_from_elsewhere_is_not_overwritten(tmp_path: Path, uninterrupted: TrainedModel) -> None:
    shutil.copytree(uninterrupted.folder, tmp_path / "imported")
    (tmp_path / "imported" / "training.json").unlink()
    with pytest.raises(ConflictError, match="got a model"):
        run_training(tmp_path / "imported")


def test_damage_is_found(tmp_path: Path, uninterrupted: TrainedModel) -> None:
    shutil.copytree(uninterrupted.folder, tmp_path / "model")
    weights = tmp_path / "model" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(CorruptStateError, match="weights are damaged"):
        run_training(tmp_path / "model")


def test_damaged_checkpoint_is_found(tmp_path: Path) -> None:
    run_in_killed_process(run_training, tmp_path, 3)
    (tmp_path / "checkpoint-2" / "training_state.safetensors").write_bytes(b"half")
    with pytest.raises(CorruptStateError, match="checkpoint-2"):
        run_training(tmp_path)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with locked_folder(tmp_path), pytest.raises(UnavailableError, match="another process"):
        run_training(tmp_path)


def test_global_generator_and_threads_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1), torch.get_num_threads()
    torch.manual_seed(5)
    run_training(tmp_path, config=changed(max_train_steps=2, num_threads=2))
    assert (torch.rand(1), torch.get_num_threads()) == expected


def test_colour_model(tmp_path: Path) -> None:
    config = changed(channels=3, max_train_steps=1)
    model = train(build_views(channels=3), config, tmp_path, manifest_root="r", model_name="colour")
    unet, _ = load_model(model.folder)
    assert unet.config.in_channels == unet.config.out_channels == 3


@pytest.mark.parametrize(
    "views",
    [
        build_views().astype(np.float32),
        build_views(channels=3),
        build_views()[:, 0],
        build_views()[:0],
        np.zeros((2, 1, 16, 16), np.uint8),
    ],
)
def test_wrong_views_are_refused(tmp_path: Path, views: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected at least one view"):
        train(views, CONFIG, tmp_path / "model", manifest_root="r", model_name="m")
    assert not (tmp_path / "model").exists()


def test_diverged_training_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="diverged at update"):
        run_training(tmp_path, config=changed(learning_rate=1e30, max_train_steps=50, lr_scheduler="constant"))


def test_contradicting_settings_are_refused() -> None:
    with pytest.raises(InputError, match="divisible by 2"):
        changed(resolution=9)
    with pytest.raises(InputError, match="norm_num_groups"):
        changed(block_out_channels=(8, 18))


def test_configuration_digest_follows_every_setting() -> None:
    others = [changed(seed=1), changed(channels=3), changed(num_threads=None), changed(learning_rate=0.0021)]
    assert len({CONFIG.sha256, *(other.sha256 for other in others)}) == 5


def test_every_image_is_seen_equally_often() -> None:
    order = DataOrder(count=7, seed=1)
    drawn = torch.cat([order.draw(3) for _ in range(14)])
    assert torch.bincount(drawn, minlength=7).tolist() == [6] * 7
    assert sorted(drawn[:7].tolist()) == list(range(7))


@pytest.mark.parametrize("prediction_type", ["epsilon", "sample", "v_prediction"])
def test_updates_lower_the_loss(prediction_type: str) -> None:
    config = changed(prediction_type=prediction_type, max_train_steps=60, lr_scheduler="constant", learning_rate=5e-3)
    state = build_training_state(config, 1)
    flat = np.full((1, 1, 8, 8), 200, np.uint8)
    images = torch.full((64, 1, 8, 8), 200 / 127.5 - 1)
    before = state._loss(images).item()
    for _ in range(60):
        state.update(flat)
    assert state._loss(images).item() < before / 2


def test_demo_config_is_valid_for_the_demo_faces() -> None:
    assert (DEMO_CONFIG.resolution, DEMO_CONFIG.channels) == (24, 1)


def test_training_config_of_a_folder_without_record(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"training\.json"):
        load_training_config(tmp_path)
