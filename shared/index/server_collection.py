"""A collection on a Qdrant server: made where it is missing, completed where a killed process left it half made, and verified.

Rules, in order:

1. Several processes may prepare a collection at once: that another was first (409) is success.
2. A collection is ready once its width and distance are as expected and every payload index is there.
3. A new collection gets a name of its own, the instance, kept with its cursor. So a collection that was dropped and made
   again is told apart from the one before it.
4. A write is acknowledged by a majority of the replicas, and so is a read: one dead replica stops neither.
"""

from dataclasses import dataclass

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from shared.errors import CorruptStateError, InputError, UnavailableError
from shared.ids import new_id
from shared.index.vector_index import KEYWORDS, REBUILD

# The point that holds the cursor; item ids are UUIDv7 and can never be this one.
CURSOR_ID = "00000000-0000-0000-0000-000000000000"
LOG_SIZE, INSTANCE = "log_size", "instance"
# What the server takes.
MAX_DIMENSIONS = 65_536
_CONFLICT = 409


@dataclass(frozen=True)
class CollectionPlan:
    """What a collection is to be: its name, the width of its vectors, and shards and replicas where it is made."""

    name: str
    dimensions: int
    shards: int = 1
    replicas: int = 1


@dataclass(frozen=True)
class PreparedCollection:
    """A collection that is ready: the server's version, the replicas of each shard, and the instance."""

    version: str
    replicas: int
    instance: str

    @property
    def consistency(self) -> models.ReadConsistencyType | None:
        """How many replicas a read asks: a majority, where there are several."""
        return models.ReadConsistencyType.MAJORITY if self.replicas > 1 else None


def prepare_collection(client: QdrantClient, plan: CollectionPlan) -> PreparedCollection:
    """Make a collection ready.

    Raises:
        InputError: the vectors are wider than the server takes.
        CorruptStateError: the collection is of another width or distance.
        UnavailableError: the server has not completed what it was asked for.
    """
    if plan.dimensions > MAX_DIMENSIONS:
        raise InputError(
            f"SLEEVE_EMBEDDER: a Qdrant server takes vectors of at most {MAX_DIMENSIONS:,} numbers, got {plan.dimensions:,}",
            code="index_width",
        )
    if not client.collection_exists(plan.name):
        _create(client, plan)
    collection = client.get_collection(plan.name)
    _verify_vectors(plan, collection.config.params.vectors)
    for name in KEYWORDS:
        present = collection.payload_schema.get(name)
        if present is None or present.data_type != models.PayloadSchemaType.KEYWORD:
            verify_completed(client.create_payload_index(plan.name, name, models.PayloadSchemaType.KEYWORD, wait=True))
    replicas = collection.config.params.replication_factor or 1
    return PreparedCollection(client.info().version, replicas, _read_instance(client, plan))


def store_cursor(client: QdrantClient, plan: CollectionPlan, instance: str, log_size: int) -> None:
    """Write the point that holds the cursor; durable on return."""
    # The point needs some vector of length 1; no search sees it.
    direction = [1.0] + [0.0] * (plan.dimensions - 1)
    batch = models.Batch(ids=[CURSOR_ID], vectors=[direction], payloads=[{LOG_SIZE: log_size, INSTANCE: instance}])
    verify_completed(client.upsert(plan.name, batch, wait=True, ordering=models.WriteOrdering.STRONG))


def read_cursor(
    client: QdrantClient, plan: CollectionPlan, consistency: models.ReadConsistencyType | None = None
) -> tuple[int, str | None]:
    """Return how many log entries the collection stands for, and its instance; 0 and None before the first.

    Raises:
        CorruptStateError: the cursor cannot be read.
    """
    fields = [LOG_SIZE, INSTANCE]
    records = client.retrieve(plan.name, [CURSOR_ID], with_payload=fields, consistency=consistency)
    if not records:
        return 0, None
    payload = records[0].payload or {}
    try:
        return int(payload[LOG_SIZE]), payload.get(INSTANCE)
    except (KeyError, ValueError, TypeError) as error:
        raise CorruptStateError(
            f"the cursor of collection {plan.name} cannot be read; {REBUILD}", code="index_damaged"
        ) from error


def verify_completed(result: models.UpdateResult) -> None:
    """Check that a write is done, and not only accepted.

    Raises:
        UnavailableError: it is not; to write the same again does no harm.
    """
    if result.status != models.UpdateStatus.COMPLETED:
        raise UnavailableError(
            f"expected a completed write of the Qdrant server, got {result.status.value}", code="index_unconfirmed"
        )


def _create(client: QdrantClient, plan: CollectionPlan) -> None:
    try:
        client.create_collection(
            plan.name,
            vectors_config=models.VectorParams(size=plan.dimensions, distance=models.Distance.COSINE),
            shard_number=plan.shards,
            replication_factor=plan.replicas,
            write_consistency_factor=plan.replicas // 2 + 1,
        )
    except UnexpectedResponse as error:
        if error.status_code != _CONFLICT:
            raise


def _verify_vectors(plan: CollectionPlan, params: object) -> None:
    width = params.size if isinstance(params, models.VectorParams) else None
    distance = params.distance if isinstance(params, models.VectorParams) else None
    if width != plan.dimensions:
        raise CorruptStateError(
            f"collection {plan.name} holds vectors of width {width}, expected {plan.dimensions}; {REBUILD}", code="index_width"
        )
    if distance != models.Distance.COSINE:
        raise CorruptStateError(
            f"collection {plan.name} compares by {distance}, expected {models.Distance.COSINE.value}; {REBUILD}",
            code="index_distance",
        )


def _read_instance(client: QdrantClient, plan: CollectionPlan) -> str:
    log_size, instance = read_cursor(client, plan)
    if instance is not None:
        return instance
    store_cursor(client, plan, new_id(), log_size)
    # Read again: of two processes that write one at once, the later wins for both.
    return read_cursor(client, plan)[1] or ""
