"""Search by embedding: the registered items nearest to a picture, with the suite on each.

Rules, in order:

1. Near in embedding space is alike in what is shown; it is no finding of a copy, and nothing is decided or kept.
2. All registered items are searched, of every manifest and none, withdrawn ones included and marked.
3. Shown is what the items' own pages show, and figures: no bytes.
"""

from collections.abc import Sequence

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlmodel import func, select

from services.output_gate.embedding_search.schemas import NearestAnswer, NearItem, SearchedItems
from services.output_gate.gate import Gate
from services.output_gate.results.matched_items import describe_items
from services.output_gate.results.schemas import MatchedItem, Metrics
from shared.auth.caller import current_caller
from shared.auth.item_visibility import PublicItem, sees_item
from shared.canonical import sha256_hex
from shared.errors import CorruptStateError, InputError, NotFoundError, UnavailableError
from shared.index.vector_index import is_searched_exactly
from shared.records.items import Item
from shared.vision.image_decoding import DecodedImage, decode_image
from shared.vision.views import Pixels, ViewRecipe, build_view

# The suite on a pair takes milliseconds, and so does decoding an item: a page of them, a few seconds at most.
MAX_NEAREST = 50
COMPARED = ViewRecipe(resolution_px=64, channels=3)

log = structlog.get_logger()


def find_nearest(gate: Gate, data: bytes, limit: int) -> NearestAnswer:
    """Find the registered items nearest to a picture.

    Args:
        gate: index, embedder and workspace.
        data: the encoded picture.
        limit: how many items at most, 1..50.

    Raises:
        InputError: the bytes are no acceptable image.
        UnavailableError: the database, the index or the embedder does not answer.
    """
    image = decode_image(data, gate.workspace.limits)
    with gate.workspace.reading() as session:
        registered = session.exec(select(func.count()).select_from(Item)).one()
    exact = is_searched_exactly(registered)
    neighbours = gate.index.neighbours(_embed(gate, image), limit, None, exact=exact)
    with gate.workspace.reading() as session:
        described = describe_items(session, [neighbour.item_id for neighbour in neighbours])
    items = [described[neighbour.item_id] for neighbour in neighbours]
    measured = _measure(gate, image, [item.sha256 for item in items])
    state = gate.indexer.measure()
    return NearestAnswer(
        sha256=sha256_hex(data),
        width_px=image.width_px,
        height_px=image.height_px,
        embedder=f"{gate.embedder.name} {gate.embedder.sha256[:12]}",
        index=gate.index.describe(limit, exact=exact),
        compared_px=COMPARED.resolution_px,
        items=[
            NearItem(item=_show_item(item), cosine=neighbour.cosine, metrics=metrics, problem=problem)
            for neighbour, item, (metrics, problem) in zip(neighbours, items, measured, strict=True)
        ],
        searched=SearchedItems(
            registered=registered,
            behind_entries=state.behind_entries,
            gaps=state.gaps,
            complete=state.behind_entries == 0 and state.gaps == 0 and len(items) == min(limit, registered),
        ),
    )


def _show_item(item: MatchedItem) -> MatchedItem | PublicItem:
    if sees_item(current_caller(), {owner.party_id for owner in item.owners}):
        return item
    return PublicItem(id=item.id, licence=item.licence, state=item.state)


def _embed(gate: Gate, image: DecodedImage) -> NDArray[np.float32]:
    try:
        [vector] = gate.embedder.embed([image.pixels])
    except Exception as error:  # whatever a model raises, the picture was acceptable and the embedder is not there
        log.exception("embedder_failed")
        raise UnavailableError("the embedder failed", code="embedder_failed") from error
    return np.asarray(vector, dtype=np.float32)


def _measure(gate: Gate, image: DecodedImage, digests: Sequence[str]) -> list[tuple[Metrics | None, str | None]]:
    """Measure the suite on the picture and each item, or say why one cannot be compared."""
    views: dict[int, Pixels] = {}
    problems: dict[int, str] = {}
    for at, digest in enumerate(digests):
        try:
            pixels = decode_image(gate.workspace.blobs.load(digest), gate.workspace.limits).pixels
            views[at] = build_view(pixels, COMPARED)
        except (InputError, NotFoundError, CorruptStateError) as error:
            problems[at] = error.code
    metrics: dict[int, Metrics] = {}
    if views:
        queries = np.repeat(build_view(image.pixels, COMPARED)[None], len(views), axis=0)
        metrics = dict(zip(views, gate.measure_pairs(np.stack(list(views.values())), queries), strict=True))
    return [(metrics.get(at), problems.get(at)) for at in range(len(digests))]
