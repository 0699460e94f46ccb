"""What a foreign model's configuration files may say: every component and every setting is understood, or refused by its name.

Rules, in order:

1. A pipeline has a network that draws pixels and a noise schedule, and nothing else. A component that decodes latents, reads
   texts or checks for safety is refused by its name: without it the network's output is not what the model publishes.
2. Components are diffusers' own classes. Code that comes with a model is never run.
3. A setting that no class of its kind has is refused: diffusers would pass over it, and use its default instead.

Source: huggingface/diffusers, `DiffusionPipeline.save_pretrained`, for `model_index.json`.
"""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusers import UNet2DModel

from services.audit.training.diffusion_model import SCHEDULERS
from shared.errors import InputError

# Configurations and cards are a few kilobytes; a card with a long text is some more.
MAX_TEXT_BYTES = 1 << 20
NETWORK = UNet2DModel.__name__
# Both are a network and a schedule; which of the two samples is said when a model is sampled.
PIPELINES = ("DDPMPipeline", "DDIMPipeline")
SUPPORTED = f"supported today: {' or '.join(PIPELINES)} with a {NETWORK} and a {' or '.join(SCHEDULERS)}"
# What makes a network ask which class it is to draw.
_CONDITIONS = ("class_embed_type", "num_class_embeds")
# Of diffusers 0.1 and 0.2: which kind of arrays the scheduler computed with. It says nothing of the model.
_WITHOUT_MEANING = frozenset({"tensor_format"})


def read_json(path: Path) -> dict[str, Any]:
    """Read a configuration file.

    Raises:
        InputError: it is too large, or no JSON object.
    """
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise InputError(f"{path}: expected at most {MAX_TEXT_BYTES:,} bytes", code="model_file_too_large")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON, got: {error}", code="model_unreadable") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, got {type(content).__name__}", code="model_unreadable")
    return content


def verify_index(path: Path) -> None:
    """Check that a `model_index.json` names a pipeline that draws pixels, and no component that is not understood.

    Raises:
        InputError: another pipeline or component, or code of its own.
    """
    index = read_json(path)
    components = {name: value for name, value in index.items() if not name.startswith("_") and not _is_absent(value)}
    wrong = [_describe(name, value) for name, value in components.items() if not _is_understood(name, value)]
    wrong += [f"{name} is missing" for name in ("unet", "scheduler") if name not in components]
    pipeline = index.get("_class_name")
    if pipeline not in PIPELINES:
        wrong.insert(0, f"pipeline {_shorten(pipeline)}")
    if wrong:
        raise InputError(f"{path}: cannot be imported: {'; '.join(wrong)}; {SUPPORTED}", code=_index_code(components))


def _index_code(components: Mapping[str, Any]) -> str:
    return "model_component" if set(components) - {"unet", "scheduler"} else "model_class"


def _is_absent(value: Any) -> bool:
    # diffusers writes [null, null] for an optional component that a pipeline goes without.
    return value is None or (isinstance(value, list) and all(part is None for part in value))


def _is_understood(name: str, value: Any) -> bool:
    return value in {"unet": [["diffusers", NETWORK]], "scheduler": [["diffusers", known] for known in SCHEDULERS]}.get(
        name, []
    )


def _describe(name: str, value: Any) -> str:
    if not isinstance(value, list) or len(value) != 2:
        return f"setting {name} {_shorten(value)}"
    library, class_name = value
    code = "" if library in {"diffusers", "transformers"} else f", code of {_shorten(library)}, which is never run"
    return f"component {name} of class {_shorten(class_name)}{code}"


def _shorten(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:60]


def verify_network(path: Path) -> None:
    """Check the configuration of a network, which names its class.

    Raises:
        InputError: another class, a condition, or a setting that the class does not have.
    """
    settings = read_json(path)
    if settings.get("_class_name") != NETWORK:
        raise InputError(
            f"{path}: expected a {NETWORK}, got {_shorten(settings.get('_class_name'))}; {SUPPORTED}", code="model_class"
        )
    conditions = [f"{key} {settings[key]}" for key in _CONDITIONS if settings.get(key) is not None]
    if conditions:
        raise InputError(
            f"{path}: expected an unconditional network, got one with classes ({', '.join(conditions)}); {SUPPORTED}",
            code="model_conditional",
        )
    _verify_settings(path, settings, set(inspect.signature(UNet2DModel.__init__).parameters))


def verify_scheduler(path: Path) -> str:
    """Check the configuration of a noise schedule; return its class.

    Raises:
        InputError: another class, or a setting that no scheduler has.
    """
    settings = read_json(path)
    name = settings.get("_class_name")
    if name not in SCHEDULERS:
        raise InputError(
            f"{path}: expected {' or '.join(SCHEDULERS)}, got {_shorten(name)}: no other schedule can be sampled yet",
            code="model_class",
        )
    # A scheduler that was made from another one's settings keeps those that it does not use itself.
    classes = [SCHEDULERS[name], *SCHEDULERS[name]._get_compatibles()]  # noqa: SLF001 - diffusers names no other way
    known = {key for one_class in classes for key in inspect.signature(one_class.__init__).parameters}
    _verify_settings(path, settings, known | _WITHOUT_MEANING)
    return str(name)


def verify_named_scheduler(index: Path, path: Path, class_name: str) -> None:
    """Check that a pipeline's index and the configuration of its noise schedule name the same class.

    Raises:
        InputError: they do not.
    """
    named = read_json(index)["scheduler"][1]
    if named != class_name:
        raise InputError(f"{path}: expected {named}, as {index.name} says, got {class_name}", code="model_class")


def _verify_settings(path: Path, settings: Mapping[str, Any], known: set[str]) -> None:
    unknown = [key for key, value in settings.items() if key not in known and not key.startswith("_") and value is not None]
    if unknown:
        raise InputError(
            f"{path}: settings that the installed diffusers does not have: {', '.join(map(_shorten, unknown[:5]))}; it would "
            "pass over them, so give each its present name, or remove it where it changes nothing",
            code="model_setting",
        )
