"""The README.md of a model, trained here or imported: what it is, what it was trained on, how to load it.

The front matter is what model hubs read. Source: Mitchell et al. 2019 (arXiv:1810.03993), and the model card
specification of huggingface/hub-docs, modelcard.md.
"""

from collections.abc import Mapping

from services.audit.training.training_config import TrainingConfig

_HEAD = """---
library_name: diffusers
pipeline_tag: unconditional-image-generation
tags:
- diffusers
- unconditional-image-generation
---

# {name}

"""

_CARD = (
    _HEAD
    + """An unconditional diffusion model of {resolution} × {resolution} {colour} images.

## Training data

{images} images: the sealed manifest with Merkle root

    {root}

Nothing else was used. Whoever holds the manifest can prove for any image whether it was among them.

Pictures were turned upright (EXIF), laid over white, cropped to the centre square and resized by Pillow's bicubic filter.

## Training

| setting | value |
|---|---|
{settings}
| SHA-256 of the configuration | `{config_sha256}` |
| SHA-256 of the weights | `{weights_sha256}` |

{updates} updates of {batch} images each: every image was seen {passes:.1f} times. Few images seen often are
what makes a model memorise; see the audit of this model before you publish it or what it makes.

## Use

```python
from diffusers import DDPMPipeline

image = DDPMPipeline.from_pretrained("path/to/this/folder")().images[0]
```
"""
)


_IMPORTED_CARD = (
    _HEAD
    + """An unconditional diffusion model that was trained elsewhere and imported into Sleeve. It came without a card.

## Training data

Its owner declares that it was trained on {images} images: the sealed manifest with Merkle root

    {root}

Nobody here trained it, so this was not verified. How it was trained is not recorded. How pictures were prepared for it, as its
owner declares: {preprocessing}.

| SHA-256 of the weights |
|---|
| `{weights_sha256}` |
"""
)


def build_imported_card(
    name: str, manifest_root: str, image_count: int, weights_sha256: str, declared: Mapping[str, str]
) -> str:
    """Write the card of a model that was imported without one.

    >>> "not verified" in build_imported_card("m", "root-1", 4, "00", {})
    True
    """
    preprocessing = ", ".join(f"{field.replace('_', ' ')} {value}" for field, value in declared.items()) or "unknown"
    return _IMPORTED_CARD.format(
        name=name, images=image_count, root=manifest_root, weights_sha256=weights_sha256, preprocessing=preprocessing
    )


def build_model_card(name: str, config: TrainingConfig, *, manifest_root: str, image_count: int, weights_sha256: str) -> str:
    """Write the card of a trained model.

    Args:
        name: of the model.
        config: what it was trained with.
        manifest_root: Merkle root of what it was trained on.
        image_count: images in the manifest, at least 1.
        weights_sha256: digest of the weights, hexadecimal.

    Returns:
        Markdown with YAML front matter.

    >>> config = TrainingConfig(resolution=24, max_train_steps=10)
    >>> "root-1" in build_model_card("m", config, manifest_root="root-1", image_count=4, weights_sha256="00")
    True
    """
    settings = "\n".join(f"| {key} | `{value}` |" for key, value in config.model_dump(mode="json").items())
    return _CARD.format(
        name=name,
        resolution=config.resolution,
        colour="grey" if config.channels == 1 else "RGB",
        images=image_count,
        root=manifest_root,
        settings=settings,
        config_sha256=config.sha256,
        weights_sha256=weights_sha256,
        updates=config.max_train_steps,
        batch=config.train_batch_size,
        passes=config.max_train_steps * config.train_batch_size / image_count,
    )
