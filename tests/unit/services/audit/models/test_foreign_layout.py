"""Foreign layouts: each is read, or refused by the name of what is not supported; a scheduler is never guessed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMPipeline,
    DDIMScheduler,
    DDPMPipeline,
    DDPMScheduler,
    EulerDiscreteScheduler,
    LDMPipeline,
    UNet2DConditionModel,
    UNet2DModel,
    VQModel,
)

from services.audit.models.foreign_layout import INDEX, read_layout
from shared.errors import SleeveError

WEIGHTS = "diffusion_pytorch_model.safetensors"


def build_network() -> UNet2DModel:
    return UNet2DModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8, 8), norm_num_groups=4, add_attention=False,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
    )  # fmt: skip


def build_conditional_network() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4, cross_attention_dim=8,
        attention_head_dim=4, down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
    )  # fmt: skip


def build_vq_decoder() -> VQModel:
    return VQModel(block_out_channels=(8,), norm_num_groups=4, num_vq_embeddings=8)


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    folder = tmp_path / "pipeline"
    DDPMPipeline(unet=build_network(), scheduler=DDPMScheduler(num_train_timesteps=50)).save_pretrained(folder)
    return folder


def latent(folder: Path) -> None:
    shutil.rmtree(folder)
    LDMPipeline(vqvae=build_vq_decoder(), unet=build_network(), scheduler=DDIMScheduler()).save_pretrained(folder)


def latent_by_a_pixel_pipeline(folder: Path) -> None:
    latent(folder)
    change_index(_class_name="DDPMPipeline")(folder)


def latent_folder_that_no_index_names(folder: Path) -> None:
    AutoencoderKL(block_out_channels=(8,), norm_num_groups=4).save_pretrained(folder / "vae")


def change_index(**changed: object) -> Callable[[Path], None]:
    return change_json(INDEX, **changed)


def change_json(name: str, **changed: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_bytes())
        (folder / name).write_text(json.dumps(content | changed), encoding="utf-8")

    return change


def conditional(folder: Path) -> None:
    shutil.rmtree(folder / "unet")
    build_conditional_network().save_pretrained(folder / "unet")


def other_scheduler(folder: Path) -> None:
    EulerDiscreteScheduler().save_pretrained(folder / "scheduler")


def code_beside_the_network(folder: Path) -> None:
    (folder / "unet" / "my_unet.py").write_text("raise SystemExit(1)", encoding="utf-8")


def pickled_network(folder: Path) -> None:
    (folder / "unet" / WEIGHTS).rename(folder / "unet" / "diffusion_pytorch_model.bin")


def only_a_pickle(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "model_epoch_10.ckpt").write_bytes(b"\x80\x04.")


def other_weights_file(folder: Path) -> None:
    (folder / "unet" / WEIGHTS).rename(folder / "unet" / "model.safetensors")


def index_of_nothing(folder: Path) -> None:
    (folder / INDEX).write_text("[" * 100_000, encoding="utf-8")


REFUSED: list[tuple[Callable[[Path], None], str, str]] = [
    (latent, "model_component", "component vqvae of class VQModel"),
    (latent_by_a_pixel_pipeline, "model_component", "component vqvae of class VQModel"),
    (latent_folder_that_no_index_names, "model_component", "component vae (AutoencoderKL)"),
    (change_index(_class_name="StableDiffusionPipeline"), "model_class", "pipeline StableDiffusionPipeline"),
    (change_index(_class_name=["pipeline", "MyPipeline"]), "model_class", "MyPipeline"),
    (change_index(unet=["my_unet", "MyUNet"]), "model_class", "component unet of class MyUNet, code of my_unet"),
    (change_index(safety_checker=["stable_diffusion", "SafetyChecker"]), "model_component", "safety_checker"),
    (change_index(text_encoder=["transformers", "CLIPTextModel"]), "model_component", "text_encoder of class CLIPTextModel"),
    (change_index(requires_safety_checker=True), "model_component", "setting requires_safety_checker true"),
    (change_index(unet=None), "model_class", "unet is missing"),
    (conditional, "model_class", "got UNet2DConditionModel"),
    (other_scheduler, "model_class", "got EulerDiscreteScheduler"),
    (change_index(scheduler=["diffusers", "DDIMScheduler"]), "model_class", "expected DDIMScheduler"),
    (change_json("unet/config.json", num_class_embeds=4), "model_conditional", "num_class_embeds 4"),
    (change_json("unet/config.json", class_embed_type="timestep"), "model_conditional", "class_embed_type timestep"),
    (change_json("unet/config.json", resolution=8), "model_setting", "resolution"),
    (change_json("scheduler/scheduler_config.json", timesteps=500), "model_setting", "timesteps"),
    (code_beside_the_network, "model_code", "my_unet.py"),
    (pickled_network, "weights_not_safetensors", "diffusion_pytorch_model.bin"),
    (only_a_pickle, "weights_not_safetensors", "model_epoch_10.ckpt"),
    (other_weights_file, "model_not_found", "model.safetensors"),
    (index_of_nothing, "model_unreadable", INDEX),
]


@pytest.mark.parametrize(("spoil", "code", "name"), REFUSED)
def test_what_is_not_supported_is_refused_by_its_name(
    pipeline: Path, spoil: Callable[[Path], None], code: str, name: str
) -> None:
    spoil(pipeline)
    with pytest.raises(SleeveError) as caught:
        read_layout(pipeline)
    assert (caught.value.code, name in caught.value.message) == (code, True), caught.value.message
    assert str(pipeline) in caught.value.message


def test_a_network_of_a_latent_pipeline_is_not_imported_by_itself_either(pipeline: Path) -> None:
    latent(pipeline)
    with pytest.raises(SleeveError, match="component vqvae of class VQModel"):
        read_layout(pipeline / "unet")


def names(folder: Path, **options: Path | str) -> tuple[set[str], tuple[str, ...]]:
    layout = read_layout(folder, **options)  # type: ignore[arg-type]
    assert json.loads(layout.index)["unet"] == ["diffusers", "UNet2DModel"]
    return set(layout.files), layout.notes


PARTS = {"unet/config.json", f"unet/{WEIGHTS}", "scheduler/scheduler_config.json"}


def test_a_pipeline_is_read_without_a_note(pipeline: Path) -> None:
    assert names(pipeline) == (PARTS, ())
    change_index(vae=[None, None])(pipeline)
    assert names(pipeline) == (PARTS, ())


def test_the_other_pipeline_of_a_network_and_a_schedule(tmp_path: Path) -> None:
    DDIMPipeline(unet=build_network(), scheduler=DDIMScheduler()).save_pretrained(tmp_path / "ddim")
    assert names(tmp_path / "ddim") == (PARTS, ())


def test_weights_beside_the_index_as_diffusers_wrote_them_at_first(pipeline: Path) -> None:
    for path in [*(pipeline / "unet").iterdir(), *(pipeline / "scheduler").iterdir()]:
        path.rename(pipeline / path.name)
    (pipeline / "unet").rmdir()
    (pipeline / "scheduler").rmdir()
    files, notes = names(pipeline)
    assert (files, notes) == (PARTS, (f"network: {pipeline}",))


def test_a_networks_folder_alone_says_what_it_lacks(tmp_path: Path) -> None:
    build_network().save_pretrained(tmp_path / "alone")
    DDPMScheduler().save_pretrained(tmp_path / "schedule")
    with pytest.raises(SleeveError, match=r"no scheduler_config\.json.*--scheduler FILE") as caught:
        read_layout(tmp_path / "alone")
    assert caught.value.code == "scheduler_missing"
    for declared in (tmp_path / "schedule", tmp_path / "schedule" / "scheduler_config.json"):
        files, notes = names(tmp_path / "alone", scheduler=declared)
        assert files == PARTS
        assert f"scheduler: {tmp_path / 'schedule' / 'scheduler_config.json'}" in notes
    with pytest.raises(SleeveError, match="nowhere"):
        read_layout(tmp_path / "alone", tmp_path / "nowhere")


def test_a_checkpoint_takes_the_schedule_of_its_run_and_names_what_it_did_not_read(pipeline: Path) -> None:
    checkpoint = pipeline / "checkpoint-500"
    shutil.copytree(pipeline / "unet", checkpoint / "unet")
    shutil.copytree(pipeline / "unet", checkpoint / "unet_ema")
    (checkpoint / "optimizer.bin").write_bytes(b"\x80\x04.")
    files, notes = names(checkpoint)
    assert files == PARTS
    assert any(str(checkpoint / "unet_ema") in note for note in notes)
    assert f"scheduler: {pipeline / 'scheduler' / 'scheduler_config.json'}" in notes
    files, notes = names(checkpoint / "unet_ema")
    assert files == PARTS
    assert f"network: {checkpoint / 'unet_ema'}" in notes
    # The training has not ended: the run has checkpoints, and neither a pipeline nor a schedule.
    for part in ("unet", "scheduler", INDEX):
        shutil.rmtree(pipeline / part) if (pipeline / part).is_dir() else (pipeline / part).unlink()
    with pytest.raises(SleeveError, match="checkpoint-500"):
        read_layout(pipeline)
    with pytest.raises(SleeveError, match="--scheduler"):
        read_layout(checkpoint)


def test_networks_of_several_epochs_leave_a_choice(tmp_path: Path) -> None:
    run = tmp_path / "run"
    DDPMScheduler().save_pretrained(run / "scheduler")
    build_network().save_pretrained(run / "unet_epoch_10")
    assert names(run)[0] == PARTS
    build_network().save_pretrained(run / "unet_epoch_20")
    with pytest.raises(SleeveError, match=r"unet_epoch_10, .*unet_epoch_20") as caught:
        read_layout(run)
    assert caught.value.code == "model_choice"
    assert names(run / "unet_epoch_20")[0] == PARTS


def test_variants_of_several_epochs_leave_a_choice(pipeline: Path) -> None:
    (pipeline / "unet" / WEIGHTS).rename(pipeline / "unet" / "diffusion_pytorch_model.epoch10.safetensors")
    assert "unet/diffusion_pytorch_model.epoch10.safetensors" in names(pipeline)[0]
    build_network().half().save_pretrained(pipeline / "unet", variant="epoch20")
    with pytest.raises(SleeveError, match=r"got epoch10, epoch20; choose one with `--variant`"):
        read_layout(pipeline)
    assert "unet/diffusion_pytorch_model.epoch20.safetensors" in names(pipeline, variant="epoch20")[0]
    with pytest.raises(SleeveError, match="got epoch10, epoch20"):
        read_layout(pipeline, variant="epoch30")


def test_an_index_of_shards_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    build_network().save_pretrained(tmp_path / "sharded", max_shard_size="10KB")
    DDPMScheduler().save_pretrained(tmp_path / "sharded")
    files, _ = names(tmp_path / "sharded")
    assert "unet/diffusion_pytorch_model.safetensors.index.json" in files
    path = tmp_path / "sharded" / "diffusion_pytorch_model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"conv_in.weight": "../elsewhere.safetensors"}}), encoding="utf-8")
    with pytest.raises(SleeveError, match="names its"):
        read_layout(tmp_path / "sharded")


def test_settings_of_another_compatible_scheduler_are_kept(tmp_path: Path) -> None:
    scheduler = DDPMScheduler.from_config(DDIMScheduler(steps_offset=1).config)
    DDPMPipeline(unet=build_network(), scheduler=scheduler).save_pretrained(tmp_path / "both")
    assert "steps_offset" in json.loads((tmp_path / "both" / "scheduler" / "scheduler_config.json").read_bytes())
    assert names(tmp_path / "both") == (PARTS, ())


def test_half_precision_beside_full_is_left_where_it_is(pipeline: Path) -> None:
    build_network().to(torch.float16).save_pretrained(pipeline / "unet", variant="fp16")
    assert names(pipeline)[0] == PARTS
