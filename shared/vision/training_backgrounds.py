"""Items whose transparency training may have shown over something else than white: the further views that are compared.

Rules, in order:

1. An item has a row for its view over white, which comes first, in the manifest's order.
2. For each further background it has another row, behind all of these, where its view there differs from those before. An
   opaque picture has none; whether it is opaque stands in its file's head, so that nothing else is decoded for it.
3. The list of rows is a projection, kept beside the views, and made again where it is missing or damaged.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from shared.canonical import canonical_json, sha256_hex
from shared.compute.threads import usable_cores
from shared.files import save_atomically
from shared.vision.view_store import TrainingBackground, ViewStore
from shared.vision.views import ViewRecipe

# What training may have laid transparency over, beside white.
FURTHER_BACKGROUNDS: tuple[TrainingBackground, ...] = ("black", "grey", "none")


@dataclass(frozen=True)
class TrainingRows:
    """The rows that generations are compared with: N items over white, then their further views.

    Attributes:
        root: names the files made of these rows: the manifest's root, where there are no others.
        blobs: digest of each row's bytes.
        items: number of each row's item.
        backgrounds: what each row is laid over.
    """

    root: str
    blobs: tuple[str, ...]
    items: tuple[int, ...]
    backgrounds: tuple[TrainingBackground, ...]


def list_training_rows(
    store: ViewStore,
    manifest_root: str,
    blob_sha256s: Sequence[str],
    recipe: ViewRecipe,
    further: Sequence[TrainingBackground],
) -> TrainingRows:
    """List the rows of a manifest.

    Args:
        store: where its views are kept.
        manifest_root: the manifest's root, hexadecimal.
        blob_sha256s: the digests of its items' bytes, in its order.
        recipe: of the views compared.
        further: the backgrounds beside white that training may have used; none is searched for differences if there are none.

    Raises:
        CorruptStateError: a blob is damaged.
        NotFoundError: a blob is missing.
    """
    variants = _load_variants(store, manifest_root, blob_sha256s, recipe, further) if further else []
    key = sha256_hex(canonical_json({"manifest": manifest_root, "variants": [[*variant] for variant in variants]}))
    whites: list[TrainingBackground] = ["white"] * len(blob_sha256s)
    return TrainingRows(
        root=key if variants else manifest_root,
        blobs=(*blob_sha256s, *(blob_sha256s[item] for item, _ in variants)),
        items=(*range(len(blob_sha256s)), *(item for item, _ in variants)),
        backgrounds=(*whites, *(background for _, background in variants)),
    )


def _load_variants(
    store: ViewStore,
    manifest_root: str,
    blobs: Sequence[str],
    recipe: ViewRecipe,
    further: Sequence[TrainingBackground],
) -> list[tuple[int, TrainingBackground]]:
    names = "-".join(further)
    path = store.folder / f"{manifest_root[:32]}-{recipe.sha256[:16]}-{names}.variants.json"
    known = _read(path)
    if known is not None:
        return known
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="backgrounds") as pool:
        differing = pool.map(lambda digest: store.find_differing_backgrounds(digest, recipe, further), blobs)
        variants = [(item, background) for item, backgrounds in enumerate(differing) for background in backgrounds]
    data = canonical_json([[*variant] for variant in variants])
    save_atomically(path, canonical_json({"sha256": sha256_hex(data), "variants": [[*variant] for variant in variants]}))
    return variants


def _read(path: Path) -> list[tuple[int, TrainingBackground]] | None:
    try:
        content = json.loads(path.read_bytes())
        is_intact = sha256_hex(canonical_json(content["variants"])) == content["sha256"]
        return [(item, background) for item, background in content["variants"]] if is_intact else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
