"""Counterfactual copying: how often an item is copied by models trained with it, and by models trained without it.

An item that models copy as often without having seen it is not copied *because* of training: it is a common picture, or the
rule is too lax. The difference is the effect of training on it. Where slices are drawn at random, the two groups of models
differ by the item alone, on average over the draws. Two disjoint slices are one draw: the groups differ by whole slices,
however many models are trained on each. The figure of one item is then coarse, and the sum over items is the one to read.

Source: Feldman and Zhang 2020, "What Neural Networks Memorize and Why", equation 1, with "is copied" in place of "is
classified".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.errors import InputError


@dataclass(frozen=True)
class CopyCounts:
    """What one model was trained on, and how often it copied each item.

    Attributes:
        items: ids of its training items.
        copies: for each item that it copied, whether in its slice or not, how many of its generations did.
        generations: how many were drawn.
    """

    items: frozenset[str]
    copies: Mapping[str, int]
    generations: int


@dataclass(frozen=True)
class Counterfactual:
    """Copying of one item with and without it.

    Attributes:
        item: its id.
        with_item: mean share of generations that copy it, over models trained with it; 0..1.
        without_item: the same over models trained without it.
        models_with, models_without: how many models each mean is over.
    """

    item: str
    with_item: float
    without_item: float
    models_with: int
    models_without: int

    @property
    def effect(self) -> float:
        """What training on the item adds to the share of generations that copy it."""
        return self.with_item - self.without_item


def build_counterfactuals(models: Sequence[CopyCounts]) -> list[Counterfactual]:
    """Compare, for every item that some models saw and others did not, how often each group copied it.

    Args:
        models: audited against the union of their slices, so that a copy of an unseen item could be found.

    Returns:
        Largest effect first, then by id.

    Raises:
        InputError: fewer than two models, or one without generations.
    """
    if len(models) < 2 or any(model.generations < 1 for model in models):
        raise InputError(f"expected two models with generations, got {len(models)}")
    items = sorted(frozenset().union(*(model.items for model in models)))
    compared = [_compare(item, models) for item in items]
    return sorted((item for item in compared if item is not None), key=lambda item: (-item.effect, item.item))


def _compare(item: str, models: Sequence[CopyCounts]) -> Counterfactual | None:
    groups: dict[bool, list[float]] = {True: [], False: []}
    for model in models:
        groups[item in model.items].append(model.copies.get(item, 0) / model.generations)
    with_item, without_item = groups[True], groups[False]
    if not with_item or not without_item:
        return None
    return Counterfactual(
        item,
        sum(with_item) / len(with_item),
        sum(without_item) / len(without_item),
        len(with_item),
        len(without_item),
    )
