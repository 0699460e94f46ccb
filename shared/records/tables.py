"""Every table of the database in one list, for migrations and for tests that compare the two."""

from shared.ledger.tables import LogCheckpoint, LogEntry, LogOpening
from shared.records.api_keys import ApiKey
from shared.records.batches import BatchedCheck
from shared.records.checks import Check
from shared.records.committed_entries import Commitment
from shared.records.fingerprints import Fingerprint
from shared.records.flags import Flag, FlagStep
from shared.records.idempotency import IdempotencyKey
from shared.records.index_gaps import IndexGap
from shared.records.items import Blob, Diligence, Item, ItemEntry, ItemOwner, SignalRecord
from shared.records.jobs import Job
from shared.records.manifests import Manifest, ManifestItem
from shared.records.models import Audit, Calibration, Model
from shared.records.outputs import Output
from shared.records.parties import Party
from shared.records.policies import Policy, PolicyApproval
from shared.records.reviews import Review
from shared.records.storage_homes import StorageHome
from shared.records.studies import Study
from shared.records.webhooks import Webhook, WebhookDelivery

ALL_TABLES = (
    LogEntry,
    LogOpening,
    LogCheckpoint,
    Party,
    ApiKey,
    Blob,
    Item,
    ItemOwner,
    Diligence,
    Commitment,
    ItemEntry,
    SignalRecord,
    Fingerprint,
    Manifest,
    ManifestItem,
    Model,
    Calibration,
    Audit,
    Study,
    Policy,
    PolicyApproval,
    Check,
    Flag,
    FlagStep,
    Review,
    Webhook,
    WebhookDelivery,
    BatchedCheck,
    Output,
    IndexGap,
    IdempotencyKey,
    Job,
    StorageHome,
)
