"""Where the parts of a model lie that was trained elsewhere: which files are imported, and under which names.

Rules, in order:

1. A pipeline has `model_index.json`. Its network lies in `unet/`, or beside the index, as diffusers wrote it at first.
2. A network's folder alone is read too, whatever its name, and the `checkpoint-N` folder of a training script.
3. A folder of networks without a `unet/` is refused where it leaves a choice; the message names the folders to choose from.
4. The noise schedule is the one that is passed, the pipeline's own, or that of the training run around a checkpoint. Where
   there is none, the import is refused: a default would draw other pictures.
5. What stands around a part counts: the network of a pipeline that is not supported is not imported by itself either.
6. A folder beside these that holds a component is refused by its name. Pickles and other files are not opened.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from services.audit.models.foreign_parts import (
    NETWORK,
    PIPELINES,
    SUPPORTED,
    read_json,
    verify_index,
    verify_named_scheduler,
    verify_network,
    verify_scheduler,
)
from services.audit.training.diffusion_model import PICKLE_SUFFIXES, find_weights
from shared.errors import InputError, NotFoundError

INDEX, NETWORK_CONFIG, SCHEDULER_CONFIG, CARD_FILE = "model_index.json", "config.json", "scheduler_config.json", "README.md"


@dataclass(frozen=True)
class ForeignLayout:
    """A foreign model's files.

    Attributes:
        source: folder that the user named.
        files: where each lies, by its path in the model's folder.
        weights: those of `files` that are the network's weights.
        index: content of `model_index.json`, which is written where the layout has none.
        notes: what was chosen, one sentence each.
    """

    source: Path
    files: dict[str, Path]
    weights: list[Path]
    index: str
    notes: tuple[str, ...]

    @property
    def root(self) -> Path:
        """The folder without links; none of its files lies elsewhere."""
        return self.source.resolve()

    @property
    def config_files(self) -> dict[str, Path]:
        """The configuration of network and schedule, by path in the model's folder."""
        return {name: self.files[name] for name in (f"unet/{NETWORK_CONFIG}", f"scheduler/{SCHEDULER_CONFIG}")}


def read_layout(source: Path, scheduler: Path | None = None, variant: str | None = None) -> ForeignLayout:
    """Find the parts of a foreign model.

    Args:
        source: folder of a pipeline, of a network alone, or of a training checkpoint.
        scheduler: the noise schedule, a `scheduler_config.json` or its folder; None is the model's own.
        variant: which weights, where there are several kinds, such as `fp16`; None is full precision, or the only kind.

    Raises:
        NotFoundError: the folder or one of its parts is missing.
        InputError: a component, class, setting or file that is not supported.
    """
    if not source.is_dir():
        raise NotFoundError(f"no folder {str(source)!r}", code="model_not_found")
    _refuse_links_out(source)
    surroundings = _surroundings(source)
    for folder in surroundings:
        if (folder / INDEX).is_file():
            verify_index(folder / INDEX)
    network = _find_network(source)
    _refuse_code(source, network)
    _refuse_other_components(source, network)
    verify_network(network / NETWORK_CONFIG)
    schedule = _find_schedule(surroundings, network, scheduler)
    class_name = verify_scheduler(schedule)
    if scheduler is None and (source / INDEX).is_file():
        verify_named_scheduler(source / INDEX, schedule, class_name)
    weights = find_weights(network, shown=str(network), variant=variant)
    notes = _describe_choices(source, network, schedule, scheduler)
    files = {f"unet/{NETWORK_CONFIG}": network / NETWORK_CONFIG, f"scheduler/{SCHEDULER_CONFIG}": schedule}
    files |= {f"unet/{path.name}": path for path in (*weights, *_shard_indexes(network, weights))}
    if (source / CARD_FILE).is_file():
        files[CARD_FILE] = source / CARD_FILE
    return ForeignLayout(source, files, weights, _build_index(class_name), notes)


def _build_index(scheduler_class: str) -> str:
    return json.dumps(
        {"_class_name": PIPELINES[0], "scheduler": ["diffusers", scheduler_class], "unet": ["diffusers", NETWORK]}, indent=2
    )


def _surroundings(source: Path) -> list[Path]:
    """Return the folder and those around it that belong to it: a network's pipeline, and a checkpoint's training run."""
    folders, here = [source], source.resolve()
    for _ in range(2):
        is_checkpoint, is_network = here.name.startswith("checkpoint"), _class_in(here) is not None
        if not (is_checkpoint or is_network) or here.parent == here:
            break
        here = here.parent
        folders.append(here)
    return folders


def _find_network(source: Path) -> Path:
    if (source / "unet").is_dir():
        return source / "unet"
    if (source / NETWORK_CONFIG).is_file():
        return source
    networks = [folder for folder in _subfolders(source) if _class_in(folder) == NETWORK]
    checkpoints = [folder for folder in _subfolders(source) if (folder / "unet").is_dir() or (folder / "unet_ema").is_dir()]
    if len(networks) == 1:
        return networks[0]
    choices = networks or checkpoints
    if choices:
        names = ", ".join(map(str, choices[:10]))
        raise InputError(
            f"{source}: expected one network, got others to choose from; import one of {names}", code="model_choice"
        )
    pickles = _pickles(source)
    if pickles:
        raise InputError(f"{source}: expected safetensors weights, got pickles: {pickles}", code="weights_not_safetensors")
    raise NotFoundError(
        f"no model in {source}: expected {INDEX}, unet/ or {NETWORK_CONFIG}, as diffusers saves them", code="model_not_found"
    )


def _find_schedule(surroundings: list[Path], network: Path, declared: Path | None) -> Path:
    if declared is not None:
        places = [declared / SCHEDULER_CONFIG, declared / "scheduler" / SCHEDULER_CONFIG] if declared.is_dir() else [declared]
    else:
        folders = [*surroundings, network]
        places = [folder / part / SCHEDULER_CONFIG for folder in folders for part in ("scheduler", "")]
    for path in places:
        if path.is_file():
            return path
    if declared is not None:
        raise NotFoundError(f"no {SCHEDULER_CONFIG} in {declared}", code="scheduler_missing")
    raise InputError(
        f"{surroundings[0]}: no {SCHEDULER_CONFIG}, so how the network was trained to draw is not known; pass "
        f"`--scheduler FILE`, a {SCHEDULER_CONFIG} of its training ({SUPPORTED})",
        code="scheduler_missing",
    )


def _refuse_links_out(source: Path) -> None:
    """Refuse configurations, and the folders of parts, that are links out of the folder: they are not even read."""
    root = source.resolve()
    paths = [*source.glob("*.json"), *source.glob("*/*config.json"), source / "unet", source / "scheduler"]
    for path in paths:
        if not path.resolve().is_relative_to(root):
            raise InputError(outside_message(path), code="model_file_outside")


def outside_message(path: Path) -> str:
    """Say that a file leads out of the folder, and what to do (a download cache of Hugging Face holds links)."""
    return f"{path}: expected a file inside the model's folder, got a link that leaves it; copy the folder with `cp -rL`"


def _refuse_code(source: Path, network: Path) -> None:
    for folder in {source, network, source / "scheduler"}:
        for path in sorted(folder.glob("*.py")):
            raise InputError(
                f"{path}: code that comes with a model is never run; remove it where the model does not need it",
                code="model_code",
            )


def _refuse_other_components(source: Path, network: Path) -> None:
    """Refuse what lies beside the network and has a class or configuration of its own; other networks are alternatives."""
    for folder in _subfolders(source):
        is_known = folder == network or folder.name in {"unet", "scheduler"} or folder.name.startswith("checkpoint")
        configs = sorted(folder.glob("*config.json"))
        if is_known or not configs or _class_in(folder) == NETWORK:
            continue
        class_name = read_json(configs[0]).get("_class_name") or configs[0].name
        raise InputError(
            f"{source}: component {folder.name} ({str(class_name)[:60]}) is not supported; {SUPPORTED}", code="model_component"
        )


def _describe_choices(source: Path, network: Path, schedule: Path, declared: Path | None) -> tuple[str, ...]:
    notes = []
    if network != source / "unet":
        notes.append(f"network: {network}")
    others = [folder for folder in _subfolders(source) if folder != network and _class_in(folder) == NETWORK]
    if others:
        notes.append(f"network: {network}; not read: {', '.join(map(str, others))} (to import one of these, name its folder)")
    if declared is not None or schedule.parent not in {source, source / "scheduler"}:
        notes.append(f"scheduler: {schedule}")
    return tuple(notes)


def _shard_indexes(network: Path, weights: list[Path]) -> list[Path]:
    """Return the index of weights in several files, once it is checked that it names these files alone."""
    if len(weights) == 1:
        return []
    names = {path.name for path in weights}
    indexes = []
    for path in sorted(network.glob("diffusion_pytorch_model.safetensors.index*.json")):
        weight_map = read_json(path).get("weight_map")
        if isinstance(weight_map, dict) and set(map(str, weight_map.values())) == names:
            indexes.append(path)
    if len(indexes) != 1:
        raise InputError(
            f"{network}: expected one diffusion_pytorch_model.safetensors.index*.json that names its {len(names)} files, "
            f"got {len(indexes)}",
            code="model_unreadable",
        )
    return indexes


def _class_in(folder: Path) -> str | None:
    path = folder / NETWORK_CONFIG
    return str(read_json(path).get("_class_name")) if path.is_file() else None


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pickles(folder: Path) -> str:
    return ", ".join(
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in PICKLE_SUFFIXES)[:10]
    )
