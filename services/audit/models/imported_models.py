"""Models trained elsewhere: checked, copied into the home, and recorded with the manifest that their owner declares.

Rules, in order:

1. Only the model's own files are copied: `model_index.json`, the network's and the scheduler's configuration, weights as
   safetensors, and its card. Other files in the folder, pickles of a training included, are neither opened nor copied.
2. No file is read through a link that leaves the folder, and each kind of file has a size limit.
3. The network is loaded whole and run once before it is recorded: every weight fits, and it makes pictures unconditionally.
4. The manifest is a declaration. The record's origin is `imported`, and every report says that nobody here trained the model.
5. A name stands for one model. The same model under the same name is found, not recorded again.

Source: huggingface/diffusers, `DDPMPipeline.save_pretrained`, for the layout.
"""

import shutil
from pathlib import Path

import torch
from diffusers import UNet2DModel
from sqlmodel import Session

from services.audit.models.model_configuration import read_configuration
from services.audit.models.recorded_models import record_model, verify_for_training
from services.audit.training.atomic_folders import locked_folder, new_folder, remove_unfinished
from services.audit.training.diffusion_model import CONFIG_FILES, load_model, weight_files, weights_sha256
from services.audit.training.model_card import build_imported_card
from services.audit.training.train import RECORD_FILE
from services.audit.training.training_checkpoints import checkpoint_folders
from services.audit.training.training_config import LARGEST_SIDE_PX
from services.audit.training_sets.sealed_set import SealedSet, load_sealed_set
from shared.canonical import canonical_json, sha256_hex
from shared.errors import ConflictError, InputError, NotFoundError
from shared.records.models import Model, find_model
from shared.schemas import check_name
from shared.workspace import Workspace

# Configurations and cards are a few kilobytes; a card with a long text is some more.
MAX_TEXT_BYTES = 1 << 20
# The largest unconditional networks in use have below a billion weights of four bytes.
MAX_WEIGHTS_BYTES = 16 << 30
CARD_FILE = "README.md"
# As `TrainingConfig` has it.
SIDES_PX = range(8, LARGEST_SIDE_PX + 1)


def import_model(workspace: Workspace, source: Path, name: str, manifest: str) -> Model:
    """Import a model.

    Args:
        workspace: where the manifest is, and where the model goes.
        source: folder in diffusers' layout.
        name: unique name of the model.
        manifest: name or id of the manifest that it was trained on, as its owner says.

    Returns:
        The model's record; the existing one where this very model is recorded already.

    Raises:
        NotFoundError: no such folder or manifest, or the folder lacks a part.
        InputError: pickled weights, another class, files that are too large, lead out of the folder or do not fit each other,
            or a manifest sealed for another purpose.
        ConflictError: the name stands for another model, or its folder is taken.
    """
    check_name(name)
    sealed = load_sealed_set(workspace, manifest)
    verify_for_training(sealed.manifest)
    if not source.is_dir():
        raise NotFoundError(f"no folder {str(source)!r}", code="model_not_found")
    files = _list_files(source.resolve())
    folder = workspace.home / "models" / name
    # One import at a time; a training holds its own folder alone.
    with locked_folder(folder.parent):
        with workspace.reading() as session:
            recorded = find_model(session, name)
        if recorded is not None:
            return _verify_same(recorded, sealed, source)
        _check_free(folder)
        remove_unfinished(folder.parent)
        return _import(workspace, files, folder, sealed)


def _import(workspace: Workspace, files: dict[str, Path], folder: Path, sealed: SealedSet) -> Model:
    with new_folder(folder) as copied:
        _copy(files, copied)
        unet, _ = load_model(copied)
        resolution_px, channels = _check_makes_pictures(unet)
        if not (copied / CARD_FILE).exists():
            card = build_imported_card(folder.name, sealed.manifest.root, sealed.manifest.size, weights_sha256(copied))
            (copied / CARD_FILE).write_text(card, encoding="utf-8")
    with workspace.writing() as session:
        model = _record(session, sealed, folder, resolution_px, channels)
    workspace.log.integrate()
    return model


def _list_files(source: Path) -> dict[str, Path]:
    """Return what is copied, by its path in the model's folder, after looking at kind, place and size of each."""
    paths = [source / "model_index.json", *(source / name for name in CONFIG_FILES), source / CARD_FILE]
    texts = [path for path in paths if path.is_file()]
    texts += sorted((source / "unet").glob("*.safetensors.index*.json"))
    files = [(path, MAX_TEXT_BYTES) for path in texts] + [(path, MAX_WEIGHTS_BYTES) for path in weight_files(source)]
    for path, limit_bytes in files:
        real = path.resolve()
        if not real.is_relative_to(source) or not real.is_file():
            raise InputError(
                f"expected a file inside the model's folder, got {path.name} elsewhere", code="model_file_outside"
            )
        if real.stat().st_size > limit_bytes:
            raise InputError(
                f"{path.name}: expected at most {limit_bytes:,} bytes, got {real.stat().st_size:,}",
                code="model_file_too_large",
            )
    return {str(path.relative_to(source)): path for path, _ in files}


def _copy(files: dict[str, Path], target: Path) -> None:
    for name, path in files.items():
        (target / name).parent.mkdir(exist_ok=True)
        # The content of a link, never the link.
        shutil.copyfile(path, target / name)


def _check_makes_pictures(unet: UNet2DModel) -> tuple[int, int]:
    """Run the network once on noise; return its resolution in pixels and its channels."""
    size, channels = unet.config.sample_size, unet.config.in_channels
    sides = {size} if isinstance(size, int) else set(size or ())
    if len(sides) != 1 or not sides <= set(SIDES_PX) or channels not in {1, 3} or unet.config.out_channels != channels:
        raise InputError(
            f"expected square pictures of {SIDES_PX[0]} to {SIDES_PX[-1]} px with 1 or 3 channels in and out, got sample size "
            f"{size}, {channels} channels in, {unet.config.out_channels} out",
            code="model_shape",
        )
    [side_px] = sides
    noise = torch.zeros((1, channels, side_px, side_px))
    try:
        with torch.no_grad():
            prediction = unet(noise, 0).sample
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            f"expected an unconditional network, got one that fails on noise: {error}", code="model_shape"
        ) from error
    if prediction.shape != noise.shape or not torch.isfinite(prediction).all():
        raise InputError("expected a network that predicts finite values of its input's shape, got others", code="model_shape")
    return side_px, channels


def _verify_same(recorded: Model, sealed: SealedSet, source: Path) -> Model:
    expected = recorded.origin, recorded.manifest_id, recorded.weights_sha256, recorded.config_sha256
    got = "imported", sealed.manifest.id, weights_sha256(source), sha256_hex(canonical_json(read_configuration(source)))
    if expected != got:
        raise ConflictError(
            f"model {recorded.name!r} is another one: expected origin, manifest, weights and configuration {expected}, "
            f"got {got}",
            code="model_exists",
        )
    return recorded


def _check_free(folder: Path) -> None:
    if (folder / RECORD_FILE).exists() or checkpoint_folders(folder):
        raise ConflictError(f"expected a free name, got {folder.name!r}, which a training uses", code="folder_taken")


def _record(session: Session, sealed: SealedSet, folder: Path, resolution_px: int, channels: int) -> Model:
    configuration = read_configuration(folder)
    return record_model(
        session,
        sealed.manifest,
        name=folder.name,
        origin="imported",
        weights_sha256=weights_sha256(folder),
        config_sha256=sha256_hex(canonical_json(configuration)),
        config=configuration,
        resolution_px=resolution_px,
        channels=channels,
    )
