"""The configuration of a model's network and scheduler, checked against the record.

Weights do not say how a model draws. With another prediction type, other timesteps or another activation the same weights give
noise, and noise copies nothing. The digest of the configuration is in the log, so that it is checked before anything is drawn.

Rules, in order:

1. A model trained here is configured as its training says: what is loaded from its folder, defaults included, equals what the
   training would build.
2. An imported model's files of configuration are those that were imported.
"""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import ConfigMixin

from services.audit.training.diffusion_model import CONFIG_FILES, build_scheduler, build_unet, load_model
from services.audit.training.training_config import TrainingConfig
from shared.errors import CorruptStateError
from shared.records.models import Model


def read_configuration(folder: Path) -> dict[str, Any]:
    """Return what the files of configuration in a model's folder hold, by part."""
    return {name.partition("/")[0]: json.loads((folder / name).read_bytes()) for name in CONFIG_FILES}


def verify_configuration(model: Model, folder: Path) -> None:
    """Check that the model in a folder is configured as recorded.

    Args:
        model: on record.
        folder: of the finished model, or of one of its checkpoints.

    Raises:
        CorruptStateError: it is configured differently.
        NotFoundError: the folder or one of its parts is missing.
        InputError: the folder holds no model that can be read.
    """
    unet, scheduler = load_model(folder)
    if model.origin == "imported":
        expected, got = model.config, read_configuration(folder)
    else:
        config = TrainingConfig(**model.config)
        with torch.device("meta"):
            built = build_unet(config, 0)
        expected = {"unet": _settings(built), "scheduler": _settings(build_scheduler(config))}
        got = {"unet": _settings(unet), "scheduler": _settings(scheduler)}
    for part in expected:
        keys = sorted(key for key in expected[part] | got[part] if expected[part].get(key) != got[part].get(key))
        if keys:
            raise CorruptStateError(
                f"the {part} of model {model.name!r} was configured otherwise since it was recorded: "
                f"{', '.join(f'{key}: expected {expected[part].get(key)!r}, got {got[part].get(key)!r}' for key in keys[:3])}",
                code="model_configuration_changed",
            )


def _settings(part: ConfigMixin) -> dict[str, Any]:
    """Return a part's settings as JSON has them, without what diffusers notes for itself."""
    settings: dict[str, Any] = json.loads(part.to_json_string())
    return {key: value for key, value in settings.items() if key == "_class_name" or not key.startswith("_")}
