"""What commands that search by image share: their options, and how they show items and distances."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Protocol

import typer

from shared.auth.item_visibility import PublicItem
from shared.vision.perceptual_hash import MAX_DISTANCE

Picture = Annotated[Path, typer.Argument(help="The picture to look for: PNG, JPEG, WebP, GIF, TIFF, BMP or AVIF.")]
MaxDistance = Annotated[
    int, typer.Option(min=0, max=MAX_DISTANCE, help="How many of a perceptual hash's 256 bits may differ.")
]

ITEM_COLUMNS = ("item", "title", "presumed owners", "licence", "state")


class NamedOwner(Protocol):
    """A presumed owner, as any service answers."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...


class ShownItem(Protocol):
    """An item, as any service answers."""

    @property
    def dataset(self) -> str: ...
    @property
    def source_key(self) -> str: ...
    @property
    def title(self) -> str | None: ...
    @property
    def owners(self) -> Sequence[NamedOwner]: ...
    @property
    def licence(self) -> str: ...
    @property
    def state(self) -> str: ...


def build_item_cells(item: ShownItem | PublicItem) -> tuple[str, ...]:
    """Say of an item what fits into a row: the cells below ITEM_COLUMNS."""
    if isinstance(item, PublicItem):
        return item.id, "", "", item.licence, item.state
    owners = "; ".join(f"{owner.name} ({owner.role})" for owner in item.owners) or "none known"
    return f"{item.dataset} / {item.source_key}", item.title or "", owners, item.licence, item.state


def name_distance(distance: int | None) -> str:
    """Say in how many bits two hashes differ."""
    return "undefined" if distance is None else str(distance)
