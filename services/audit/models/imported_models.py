"""Models trained elsewhere: checked, copied into the home, and recorded with the manifest that their owner declares.

Rules, in order:

1. Only the model's own files are copied: the configuration of network and scheduler, weights as safetensors, and its card.
   `foreign_layout` says where they lie. Other files in the folder, pickles included, are neither opened nor copied.
2. No file is read through a link that leaves the folder, and each kind of file has a size limit.
3. The network is loaded whole and run once before it is recorded: every weight fits, and it makes pictures unconditionally.
4. The manifest is a declaration, and so is how pictures were prepared; what is declared is in the configuration's digest. The
   record's origin is `imported`, and every report says that nobody here trained the model.
5. A name stands for one model. The same model under the same name is found, not recorded again.
6. An error names the path that the user gave, never that of a copy.

Source: huggingface/diffusers, `DDPMPipeline.save_pretrained`, for the layout.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DModel
from diffusers.utils import logging
from sqlmodel import Session

from services.audit.models.foreign_layout import CARD_FILE, INDEX, ForeignLayout, outside_message, read_layout
from services.audit.models.foreign_parts import MAX_TEXT_BYTES
from services.audit.models.model_configuration import read_configuration
from services.audit.models.preprocessing import Preprocessing
from services.audit.models.recorded_models import record_model, verify_for_training
from services.audit.training.atomic_folders import locked_folder, new_folder, remove_unfinished
from services.audit.training.diffusion_model import digest_weights, load_model, weights_sha256
from services.audit.training.model_card import build_imported_card
from services.audit.training.train import RECORD_FILE
from services.audit.training.training_checkpoints import checkpoint_folders
from services.audit.training.training_config import LARGEST_SIDE_PX
from services.audit.training_sets.sealed_set import SealedSet, load_sealed_set
from shared.canonical import canonical_json, sha256_hex
from shared.errors import ConflictError, InputError, SleeveError
from shared.records.models import Model, find_model
from shared.schemas import check_name
from shared.workspace import Workspace

# The largest unconditional networks in use have below a billion weights of four bytes.
MAX_WEIGHTS_BYTES = 16 << 30
# As `TrainingConfig` has it.
SIDES_PX = range(8, LARGEST_SIDE_PX + 1)


def import_model(
    workspace: Workspace,
    source: Path,
    name: str,
    manifest: str,
    preprocessing: Preprocessing | None = None,
    *,
    scheduler: Path | None = None,
    variant: str | None = None,
    report_note: Callable[[str], None] | None = None,
) -> Model:
    """Import a model.

    Args:
        workspace: where the manifest is, and where the model goes.
        source: folder in one of diffusers' layouts.
        name: unique name of the model.
        manifest: name or id of the manifest that it was trained on, as its owner says.
        preprocessing: how pictures were prepared for its training, as far as its owner says.
        scheduler: noise schedule of a model that comes without one, a `scheduler_config.json` or its folder.
        variant: which weights, where there are several kinds.
        report_note: called with each choice that was made among the folder's parts, in words.

    Returns:
        The model's record; the existing one where this very model is recorded already.

    Raises:
        NotFoundError: no such folder or manifest, or the folder lacks a part.
        InputError: pickled weights, a component, class or setting that is not supported, files that are too large, lead out of
            the folder or do not fit each other, or a manifest sealed for another purpose.
        ConflictError: the name stands for another model, or its folder is taken.
    """
    check_name(name)
    declared = (preprocessing or Preprocessing()).model_dump(exclude_none=True)
    sealed = load_sealed_set(workspace, manifest)
    verify_for_training(sealed.manifest)
    layout = read_layout(source, scheduler, variant)
    _verify_files(layout)
    if report_note is not None:
        for note in layout.notes:
            report_note(note)
    folder = workspace.home / "models" / name
    # One import at a time; a training holds its own folder alone.
    with locked_folder(folder.parent):
        with workspace.reading() as session:
            recorded = find_model(session, name)
        if recorded is not None:
            return _verify_same(recorded, sealed, layout, declared)
        _check_free(folder)
        remove_unfinished(folder.parent)
        return _import(workspace, layout, folder, sealed, declared)


def _import(workspace: Workspace, layout: ForeignLayout, folder: Path, sealed: SealedSet, declared: dict[str, Any]) -> Model:
    with new_folder(folder) as copied:
        _copy(layout, copied)
        try:
            with _no_warnings_of_diffusers():
                unet, _ = load_model(copied)
            resolution_px, channels = _check_makes_pictures(unet)
        except SleeveError as error:
            raise type(error)(_name_source(error.message, copied, layout), code=error.code) from error
        if not (copied / CARD_FILE).exists():
            card = build_imported_card(
                folder.name, sealed.manifest.root, sealed.manifest.size, weights_sha256(copied), declared
            )
            (copied / CARD_FILE).write_text(card, encoding="utf-8")
    with workspace.writing() as session:
        model = _record(session, sealed, folder, resolution_px, channels, declared)
    workspace.log.integrate()
    return model


@contextmanager
def _no_warnings_of_diffusers() -> Iterator[None]:
    """Keep diffusers from warning of weights that do not fit, with the copy's path: that is an error here."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def _verify_files(layout: ForeignLayout) -> None:
    """Check place and size of each file that is to be copied."""
    for path in layout.files.values():
        real = path.resolve()
        # A schedule that the user named, or that stands around the folder, lies elsewhere, but not behind a link.
        is_inside = real.is_relative_to(layout.root) if path.is_relative_to(layout.source) else not path.is_symlink()
        if not is_inside or not real.is_file():
            raise InputError(outside_message(path), code="model_file_outside")
        limit_bytes = MAX_WEIGHTS_BYTES if path in layout.weights else MAX_TEXT_BYTES
        if real.stat().st_size > limit_bytes:
            raise InputError(
                f"{path}: expected at most {limit_bytes:,} bytes, got {real.stat().st_size:,}", code="model_file_too_large"
            )


def _copy(layout: ForeignLayout, target: Path) -> None:
    for name, path in layout.files.items():
        (target / name).parent.mkdir(exist_ok=True)
        # The content of a link, never the link.
        shutil.copyfile(path, target / name)
    (target / INDEX).write_text(layout.index, encoding="utf-8")


def _name_source(message: str, copied: Path, layout: ForeignLayout) -> str:
    """Put the user's own paths where a message names the copy's."""
    for name, path in layout.files.items():
        message = message.replace(str(copied / name), str(path)).replace(str((copied / name).parent), str(path.parent))
    message = message.replace(str(copied), str(layout.source)).replace(copied.name, str(layout.source))
    return message if str(layout.source) in message else f"{layout.source}: {message}"


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


def _verify_same(recorded: Model, sealed: SealedSet, layout: ForeignLayout, declared: dict[str, Any]) -> Model:
    expected = recorded.origin, recorded.manifest_id, recorded.weights_sha256, recorded.config_sha256
    configuration = {name.partition("/")[0]: json.loads(path.read_bytes()) for name, path in layout.config_files.items()}
    got = "imported", sealed.manifest.id, digest_weights(layout.weights), _digest_configuration(configuration, declared)
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


def _digest_configuration(configuration: dict[str, Any], declared: dict[str, Any]) -> str:
    """Digest what the log has of a model's configuration, its declared preprocessing included."""
    return sha256_hex(canonical_json(configuration | ({"preprocessing": declared} if declared else {})))


def _record(
    session: Session, sealed: SealedSet, folder: Path, resolution_px: int, channels: int, declared: dict[str, Any]
) -> Model:
    configuration = read_configuration(folder)
    return record_model(
        session,
        sealed.manifest,
        name=folder.name,
        origin="imported",
        weights_sha256=weights_sha256(folder),
        config_sha256=_digest_configuration(configuration, declared),
        config=configuration,
        resolution_px=resolution_px,
        channels=channels,
        preprocessing=declared or None,
    )
