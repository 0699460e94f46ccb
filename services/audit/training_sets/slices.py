"""Slices: which items of a data set a model is trained on, and which are held out as its control.

A slice is drawn by a seeded permutation of the data set's items in the order of their keys, so that anyone can draw it
again, and slices of different sizes from one seed are nested. Items that share bytes with an earlier one are left out
first: a duplicate across slice and control would make the control look memorised. Of several data sets, the items of the
first come first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlmodel import Session

from shared.errors import InputError, NotFoundError
from shared.records.items import Item, load_dataset_items


@dataclass(frozen=True)
class Slice:
    """Item ids drawn for training and those held out."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]


def load_drawable_items(session: Session, datasets: Sequence[str]) -> list[Item]:
    """Return the items of some data sets that a slice may be drawn from, each image once.

    Raises:
        NotFoundError: one of them has no active item.
    """
    by_blob: dict[str, Item] = {}
    for dataset in dict.fromkeys(datasets):
        items = load_dataset_items(session, dataset)
        if not items:
            raise NotFoundError(f"no data set {dataset!r} with active items", code="dataset_not_found")
        for item in items:
            by_blob.setdefault(item.blob_sha256, item)
    return list(by_blob.values())


def draw_from(items: Sequence[Item], size: int, seed: int) -> Slice:
    """Draw a slice of some items, each of another image.

    Raises:
        InputError: there are fewer than asked for.
    """
    if not 1 <= size <= len(items):
        datasets = ", ".join(dict.fromkeys(repr(item.dataset) for item in items))
        raise InputError(
            f"expected a slice of 1..{len(items)} of the distinct images in {datasets}, got {size}", code="slice_size"
        )
    order = np.random.default_rng(seed).permutation(len(items))
    ids = [items[at].id for at in order]
    return Slice(tuple(ids[:size]), tuple(ids[size:]))


def draw_slice(session: Session, dataset: str, size: int, seed: int) -> Slice:
    """Draw a slice of a data set.

    Args:
        session: an open transaction.
        dataset: name of the data set.
        size: items in the slice, at least 1.
        seed: of the permutation.

    Raises:
        NotFoundError: there is no such data set.
        InputError: the data set has fewer distinct images than asked for.
    """
    return draw_from(load_drawable_items(session, [dataset]), size, seed)
