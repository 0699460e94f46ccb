"""How pictures were prepared for a training, as far as it is known: by our trainer, or as the owner of a model declares.

Rules, in order:

1. What is not declared is unknown, and generations are then compared with every view that training may have shown.
2. Orientation needs no view of its own: every generation is read in all eight (`copy_detection.orientations`).
3. Crop and resize filter are declared and shown. Copy detection lays a generation over an item within a crop of 60 %.
"""

from typing import Literal

from pydantic import Field

from shared.records.models import Model
from shared.schemas import StrictModel
from shared.vision.training_backgrounds import FURTHER_BACKGROUNDS
from shared.vision.view_store import TrainingBackground

Orientation = Literal["applied", "ignored"]
Crop = Literal["centre", "none", "random"]
ResizeFilter = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]


class Preprocessing(StrictModel):
    """How training saw its pictures; null is unknown."""

    orientation: Orientation | None = Field(default=None, description="Whether the EXIF orientation was applied.")
    background: TrainingBackground | None = Field(
        default=None, description='What transparency was laid over; "none" for the colours under the alpha channel.'
    )
    crop: Crop | None = Field(default=None, description="How pictures were made square.")
    resize_filter: ResizeFilter | None = Field(default=None, description="By which filter, in Pillow's words.")


# What `shared.vision` does to every picture, and so our trainer.
OURS = Preprocessing(orientation="applied", background="white", crop="centre", resize_filter="bicubic")


def describe_preprocessing(model: Model) -> Preprocessing:
    """Return how the pictures of a model's training were prepared, as far as it is known."""
    if model.origin != "imported":
        return OURS
    return Preprocessing.model_validate(model.preprocessing or {})


def list_further_backgrounds(preprocessing: Preprocessing) -> tuple[TrainingBackground, ...]:
    """Return the backgrounds beside white that training may have shown.

    >>> list_further_backgrounds(OURS), list_further_backgrounds(Preprocessing()), list_further_backgrounds(
    ...     Preprocessing(background="black")
    ... )
    ((), ('black', 'grey', 'none'), ('black',))
    """
    if preprocessing.background is None:
        return FURTHER_BACKGROUNDS
    return () if preprocessing.background == "white" else (preprocessing.background,)
