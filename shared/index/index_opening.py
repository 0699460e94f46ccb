"""Open the index that the settings name: on a Qdrant server where a URL is set, else the embedded engine."""

from collections.abc import Sequence

from shared.index.vector_index import WHOLE, VectorIndex
from shared.settings import Settings


def open_index(settings: Settings, collection: str, dimensions: int, views: Sequence[str] = (WHOLE,)) -> VectorIndex:
    """Open the index of a collection.

    Args:
        settings: where the index is.
        collection: its name (see `shared.vision.embedding.embedder.collection_name`).
        dimensions: width of the vectors.
        views: the views that an item may have, the whole picture first.

    Raises:
        InputError: the server's URL is none, or its key would travel in clear text.
        UnavailableError: the server does not answer, or another process owns the embedded index.
    """
    # Two optional heavy packages, qdrant-edge-py and qdrant-client: only the one in use is imported.
    if settings.qdrant_url is None:
        from shared.index.edge_index import EdgeIndex  # noqa: PLC0415

        return EdgeIndex(settings.home / "index", collection, dimensions, views)
    from shared.index.qdrant_connection import open_client  # noqa: PLC0415
    from shared.index.server_index import ServerIndex  # noqa: PLC0415

    key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
    client = open_client(settings.qdrant_url, key, settings.qdrant_timeout_seconds)
    return ServerIndex(
        client,
        collection,
        dimensions,
        views,
        shards=settings.qdrant_shards,
        replicas=settings.qdrant_replicas,
        timeout_seconds=settings.qdrant_timeout_seconds,
    )


def discard_index(settings: Settings, collection: str) -> None:
    """Remove an embedded index without opening it, damaged as it may be; one on a server is cleared once it is open.

    Raises:
        UnavailableError: another process owns it.
    """
    if settings.qdrant_url is None:
        from shared.index.edge_index import discard_shard  # noqa: PLC0415

        discard_shard(settings.home / "index", collection)
