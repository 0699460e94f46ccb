"""Models trained elsewhere: imported whole or not at all, then sampled, audited and gated like any other."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel
from PIL import Image
from safetensors.torch import load_file, save_file

from services.audit.audits.audit import audit_model
from services.audit.models import imported_models
from services.audit.models.imported_models import import_model
from services.audit.models.model_answers import build_model_answer
from services.audit.models.preprocessing import OURS, Preprocessing, describe_preprocessing, list_further_backgrounds
from services.audit.reports.kinds.audit_report import write_report
from services.audit.sampling.sample_shards import load_samples
from services.audit.sampling.samples import sample_model
from services.audit.training.diffusion_model import load_model
from services.output_gate.checks.service import check_generation
from services.output_gate.opening import open_gate
from shared.errors import ConflictError, CorruptStateError, InputError, NotFoundError, SleeveError
from shared.ledger.verify import verify_receipt
from shared.records.manifests import seal_manifest
from shared.records.models import load_model_record
from shared.workspace import Workspace
from tests.e2e.conftest import audit_context
from tests.support.factories import encode, picture, register

WEIGHTS = "diffusion_pytorch_model.safetensors"


def build_network(**changed: object) -> UNet2DModel:
    """A network as diffusers' own training script makes it, attention included, but small."""
    settings: dict[str, object] = {
        "sample_size": 16,
        "in_channels": 3,
        "out_channels": 3,
        "layers_per_block": 1,
        "block_out_channels": (8, 16),
        "norm_num_groups": 4,
        "attention_head_dim": 4,
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UNet2DModel(**(settings | changed))


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """What diffusers' training script leaves: a pipeline, and beside it the pickles of its checkpoints."""
    folder = tmp_path / "foreign"
    DDPMPipeline(unet=build_network(), scheduler=DDPMScheduler(num_train_timesteps=50)).save_pretrained(folder)
    (folder / "checkpoint-5").mkdir()
    (folder / "checkpoint-5" / "optimizer.bin").write_bytes(b"\x80\x04.")
    return folder


def test_it_is_sampled_audited_and_gated(audited_workspace: Workspace, foreign: Path, tmp_path: Path) -> None:
    model = import_model(audited_workspace, foreign, "theirs", "small")
    assert (model.origin, model.updates, model.resolution_px, model.channels) == ("imported", None, 16, 3)
    body = verify_receipt(audited_workspace.log.receipt(model.entry_id), audited_workspace.log.vkey).entry
    assert body.type == "model.imported"
    assert body.body["weights_sha256"] == model.weights_sha256
    folder = audited_workspace.home / model.folder
    assert "not verified" in (folder / "README.md").read_text(encoding="utf-8")
    assert not list(folder.rglob("*.bin"))

    size = audited_workspace.log.size
    assert import_model(audited_workspace, foreign, "theirs", "small").id == model.id
    assert audited_workspace.log.integrate().size == size

    samples = sample_model(audited_workspace, "theirs", 4, 0, 2)
    audit, content = audit_model(audit_context(audited_workspace), "theirs", samples)
    assert (audit.state, content["model"]["origin"], content["model"]["updates_per_image"]) == ("completed", "imported", None)
    write_report(audited_workspace, [(audit, content, samples)], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "is what its owner declares; it was not\nverified by training here" in page
    gate = open_gate(audited_workspace)
    try:
        with audited_workspace.reading() as session:
            assert gate.load_ready_model(load_model_record(session, "theirs")).corpus.manifest.name == "small"
    finally:
        gate.close()


@pytest.mark.parametrize(("dtype", "variant"), [(torch.float16, "fp16"), (torch.bfloat16, "bf16")])
def test_weights_of_half_precision_are_computed_with_in_full(
    audited_workspace: Workspace, tmp_path: Path, dtype: torch.dtype, variant: str
) -> None:
    pipeline = DDPMPipeline(unet=build_network().to(dtype), scheduler=DDIMScheduler(num_train_timesteps=50))
    pipeline.save_pretrained(tmp_path / "half", variant=variant)
    model = import_model(audited_workspace, tmp_path / "half", "half", "small")
    unet, scheduler = load_model(audited_workspace.home / model.folder)
    assert {weight.dtype for weight in unet.parameters()} == {torch.float32}
    assert isinstance(scheduler, DDIMScheduler)
    expected = build_network().to(dtype).float().state_dict()
    assert all(torch.equal(weight, expected[name]) for name, weight in unet.state_dict().items())


def test_an_imported_model_that_was_configured_otherwise_since_is_not_sampled(
    audited_workspace: Workspace, foreign: Path
) -> None:
    model = import_model(audited_workspace, foreign, "theirs", "small")
    path = audited_workspace.home / model.folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"timestep_spacing": "linspace"}), encoding="utf-8")
    with pytest.raises(CorruptStateError, match="timestep_spacing"):
        sample_model(audited_workspace, "theirs", 2, 0, 2)


def test_weights_in_several_files(audited_workspace: Workspace, tmp_path: Path) -> None:
    build_network().save_pretrained(tmp_path / "sharded" / "unet", max_shard_size="40KB")
    DDPMPipeline(unet=build_network(), scheduler=DDPMScheduler()).save_pretrained(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole" / "scheduler", tmp_path / "sharded" / "scheduler")
    shutil.copy(tmp_path / "whole" / "model_index.json", tmp_path / "sharded")
    assert len(list((tmp_path / "sharded" / "unet").glob("*.safetensors"))) > 1
    model = import_model(audited_workspace, tmp_path / "sharded", "sharded", "small")
    unet, _ = load_model(audited_workspace.home / model.folder)
    assert all(torch.equal(weight, build_network().state_dict()[name]) for name, weight in unet.state_dict().items())


def pickled(folder: Path) -> None:
    (folder / "unet" / WEIGHTS).rename(folder / "unet" / "diffusion_pytorch_model.bin")


def other_class(folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_bytes())
    (folder / "model_index.json").write_text(json.dumps(index | {"unet": ["diffusers", "UNet2DConditionModel"]}))


def reconfigured(**changed: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "unet" / "config.json").read_bytes())
        (folder / "unet" / "config.json").write_text(json.dumps(config | changed))

    return change


def without_a_weight(folder: Path) -> None:
    weights = load_file(folder / "unet" / WEIGHTS)
    save_file({name: weight for name, weight in weights.items() if name != "conv_out.bias"}, folder / "unet" / WEIGHTS)


def with_a_weight_too_many(folder: Path) -> None:
    weights = load_file(folder / "unet" / WEIGHTS)
    save_file(weights | {"extra": torch.zeros(1)}, folder / "unet" / WEIGHTS)


def with_infinite_weights(folder: Path) -> None:
    weights = load_file(folder / "unet" / WEIGHTS)
    save_file(weights | {"conv_out.bias": torch.full_like(weights["conv_out.bias"], torch.inf)}, folder / "unet" / WEIGHTS)


def linked_outside(folder: Path) -> None:
    secret = folder.parent / "secret.json"
    (folder / "unet" / "config.json").rename(secret)
    (folder / "unet" / "config.json").symlink_to(secret)


def weights_linked_outside(folder: Path) -> None:
    (folder / "unet" / WEIGHTS).rename(folder.parent / "elsewhere.safetensors")
    (folder / "unet" / WEIGHTS).symlink_to(folder.parent / "elsewhere.safetensors")


def folder_linked_outside(folder: Path) -> None:
    (folder / "scheduler").rename(folder.parent / "elsewhere")
    (folder / "scheduler").symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (pickled, "weights_not_safetensors"),
        (other_class, "model_class"),
        (reconfigured(block_out_channels=[8, 32]), "model_unreadable"),
        (reconfigured(norm_num_groups=3), "model_unreadable"),
        (reconfigured(block_out_channels="many"), "model_unreadable"),
        (reconfigured(num_class_embeds=4), "model_conditional"),
        (reconfigured(sample_size=[16, 24]), "model_shape"),
        (reconfigured(sample_size=2048), "model_shape"),
        (without_a_weight, "weights_do_not_fit"),
        (with_a_weight_too_many, "weights_do_not_fit"),
        (with_infinite_weights, "model_shape"),
        (linked_outside, "model_file_outside"),
        (weights_linked_outside, "model_file_outside"),
        (folder_linked_outside, "model_file_outside"),
    ],
)
def test_what_is_refused_leaves_nothing(
    audited_workspace: Workspace, foreign: Path, spoil: Callable[[Path], None], code: str
) -> None:
    spoil(foreign)
    with pytest.raises(SleeveError) as caught:
        import_model(audited_workspace, foreign, "theirs", "small")
    assert caught.value.code == code, caught.value.message
    # The user's own path, never that of the copy which is loaded.
    assert str(foreign) in caught.value.message
    assert ".new-" not in caught.value.message
    assert sorted(path.name for path in (audited_workspace.home / "models").iterdir()) == ["model-a"]


def test_a_conditional_network_is_refused(audited_workspace: Workspace, tmp_path: Path) -> None:
    unet = build_network(num_class_embeds=4)
    DDPMPipeline(unet=unet, scheduler=DDPMScheduler()).save_pretrained(tmp_path / "conditional")
    with pytest.raises(InputError, match="expected an unconditional network"):
        import_model(audited_workspace, tmp_path / "conditional", "theirs", "small")


def test_files_that_are_too_large_are_refused(
    audited_workspace: Workspace, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imported_models, "MAX_WEIGHTS_BYTES", 1000)
    with pytest.raises(InputError) as caught:
        import_model(audited_workspace, foreign, "theirs", "small")
    assert caught.value.code == "model_file_too_large"


def test_names_manifests_and_folders_that_do_not_go_together(audited_workspace: Workspace, foreign: Path) -> None:
    with pytest.raises(ConflictError, match="another one"):
        import_model(audited_workspace, foreign, "model-a", "small")
    with pytest.raises(InputError, match="sealed for control"):
        import_model(audited_workspace, foreign, "theirs", "small-control")
    with pytest.raises(NotFoundError):
        import_model(audited_workspace, foreign.parent / "nowhere", "theirs", "small")
    import_model(audited_workspace, foreign, "theirs", "small")
    with_a_weight_too_many(foreign)
    with pytest.raises(ConflictError, match="another one"):
        import_model(audited_workspace, foreign, "theirs", "small")


def test_an_old_layout_draws_what_diffusers_own_pipeline_draws(audited_workspace: Workspace, tmp_path: Path) -> None:
    """Weights beside the index, attention named as in diffusers 0.4 and before."""
    old = tmp_path / "old"
    scheduler = DDIMScheduler(num_train_timesteps=50)
    DDPMPipeline(unet=build_network(), scheduler=scheduler).save_pretrained(old)
    weights = load_file(old / "unet" / WEIGHTS)
    renamed = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}
    for new, former in renamed.items():
        weights = {name.replace(new, former): weight for name, weight in weights.items()}
    save_file(weights, old / WEIGHTS)
    (old / "unet" / "config.json").rename(old / "config.json")
    (old / "scheduler" / "scheduler_config.json").rename(old / "scheduler_config.json")
    shutil.rmtree(old / "unet")
    shutil.rmtree(old / "scheduler")
    import_model(audited_workspace, old, "old", "small")
    drawn = load_samples(sample_model(audited_workspace, "old", 2, 5, 4)).images
    pipeline = DDIMPipeline(unet=build_network().eval(), scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(seed) for seed in (5, 6)]
    expected = pipeline(batch_size=2, generator=generators, num_inference_steps=4, output_type="np").images
    assert np.array_equal(drawn, (expected * 255).round().astype(np.uint8).transpose(0, 3, 1, 2))


def test_a_networks_folder_alone_with_a_declared_schedule(audited_workspace: Workspace, foreign: Path, tmp_path: Path) -> None:
    shutil.copytree(foreign / "unet", tmp_path / "alone")
    notes: list[str] = []
    schedule = foreign / "scheduler" / "scheduler_config.json"
    model = import_model(audited_workspace, tmp_path / "alone", "alone", "small", scheduler=schedule, report_note=notes.append)
    assert notes == [f"network: {tmp_path / 'alone'}", f"scheduler: {schedule}"]
    assert import_model(audited_workspace, tmp_path / "alone", "alone", "small", scheduler=schedule).id == model.id
    assert import_model(audited_workspace, foreign, "whole", "small").config_sha256 == model.config_sha256


def test_how_pictures_were_prepared_is_declared_shown_and_bound(audited_workspace: Workspace, foreign: Path) -> None:
    declared = Preprocessing(orientation="ignored", background="black")
    model = import_model(audited_workspace, foreign, "theirs", "small", declared)
    assert build_model_answer(audited_workspace, "theirs").preprocessing == declared
    assert build_model_answer(audited_workspace, "model-a").preprocessing == OURS
    card = (audited_workspace.home / model.folder / "README.md").read_text(encoding="utf-8")
    assert "orientation ignored, background black" in card
    assert import_model(audited_workspace, foreign, "theirs", "small", declared).id == model.id
    with pytest.raises(ConflictError, match="another one"):
        import_model(audited_workspace, foreign, "theirs", "small")
    undeclared = import_model(audited_workspace, foreign, "unknown", "small")
    assert undeclared.config_sha256 != model.config_sha256
    assert build_model_answer(audited_workspace, "unknown").preprocessing == Preprocessing()
    assert list_further_backgrounds(describe_preprocessing(undeclared)) == ("black", "grey", "none")


def draw_icon(seed: int) -> Image.Image:
    """A picture whose transparency is another picture."""
    icon = picture(seed).convert("RGBA")
    icon.putalpha(picture(seed + 500).convert("L"))
    return icon


def lay_over(icon: Image.Image, background: str) -> Image.Image:
    if background == "none":
        return icon.convert("RGB")
    below = Image.new("RGBA", icon.size, background)
    below.alpha_composite(icon)
    return below.convert("RGB")


def test_copies_of_what_training_saw_over_another_background_are_flagged(workspace: Workspace, foreign: Path) -> None:
    ids = [register(workspace, f"{number}.png", encode(draw_icon(number))).id for number in range(46)]
    with workspace.writing() as session:
        seal_manifest(session, "small", "train", ids[:6])
        seal_manifest(session, "small-control", "control", ids[6:])
    workspace.log.integrate()
    import_model(workspace, foreign, "unknown", "small")
    import_model(workspace, foreign, "black", "small", Preprocessing(background="black"))
    import_model(workspace, foreign, "white", "small", Preprocessing(background="white"))
    for name in ("unknown", "black", "white"):
        audit, _ = audit_model(audit_context(workspace), name, sample_model(workspace, name, 4, 0, 2))
        assert audit.state == "completed"
        assert build_model_answer(workspace, name).orientations == 8
    gate = open_gate(workspace)
    try:
        decisions = {
            (name, background): [
                check_generation(gate, name, encode(lay_over(draw_icon(number), background))).decision for number in range(6)
            ]
            for name in ("unknown", "black", "white")
            for background in ("white", "black", "grey", "none")
        }
        turned = [draw_icon(0).transpose(turn) for turn in Image.Transpose]
        exif = [check_generation(gate, "unknown", encode(lay_over(icon, "white"))).decision for icon in turned]
    finally:
        gate.close()
    flagged = {key: outcomes.count("flag") for key, outcomes in decisions.items()}
    assert [flagged["unknown", background] for background in ("white", "black", "grey", "none")] == [6, 6, 6, 6]
    assert (flagged["black", "white"], flagged["black", "black"], flagged["white", "white"]) == (6, 6, 6)
    # What the owner declares is believed: over black this model saw nothing.
    assert flagged["white", "black"] < 6
    assert exif.count("flag") == len(turned)
