"""Manifests that were sealed with an item, and the models that were trained on them."""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from shared.records.manifests import Manifest, ManifestItem
from shared.records.models import Model


@dataclass(frozen=True)
class Holdings:
    """Manifests and models that an item is in; neither can be undone."""

    manifests: list[Manifest]
    models: list[Model]


def load_holdings(session: Session, item_id: str) -> Holdings:
    """Return the manifests that hold an item and the models that were trained on them, oldest first."""
    of_item = select(ManifestItem.manifest_id).where(ManifestItem.item_id == item_id)
    manifests = select(Manifest).where(col(Manifest.id).in_(of_item)).order_by(col(Manifest.id))
    models = select(Model).where(col(Model.manifest_id).in_(of_item)).order_by(col(Model.id))
    return Holdings(list(session.exec(manifests)), list(session.exec(models)))
