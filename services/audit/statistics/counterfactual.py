"""Counterfactual copying: how often an item is copied by models trained with it, and by models trained without it.

An item that is copied as often by models that never saw it is not copied *because* it was trained on: it is a common
picture, or the rule is too lax. The difference is what training on it did. Where slices are drawn at random, the two groups of
models differ by the item alone on average over the draws. Two disjoint slices are one draw: the groups differ by whole slices,
however many models are trained on each; the figure of one item is then coarse, and the sum over items is what to read.

Source: Feldman and Zhang 2020, "What Neural Networks Memorize and Why", equation 1, with "is copied" in place of "is
classified".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.errors import InputError


@dataclass(frozen=True)
class TrainedModel:
    """What one model was trained on and what it copied.

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


def build_counterfactuals(models: Sequence[TrainedModel]) -> list[Counterfactual]:
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
    found = [_compare(item, models) for item in items]
    return sorted((one for one in found if one is not None), key=lambda one: (-one.effect, one.item))


def _compare(item: str, models: Sequence[TrainedModel]) -> Counterfactual | None:
    groups: dict[bool, list[float]] = {True: [], False: []}
    for model in models:
        groups[item in model.items].append(model.copies.get(item, 0) / model.generations)
    seen, unseen = groups[True], groups[False]
    if not seen or not unseen:
        return None
    return Counterfactual(item, sum(seen) / len(seen), sum(unseen) / len(unseen), len(seen), len(unseen))
