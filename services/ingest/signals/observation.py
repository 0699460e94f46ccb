"""A rights signal seen after an item's acquisition: read by our own reader, or stated by whoever saw it.

Rules, in order:

1. Where the bytes are given and there is a reader for their kind, the reader's verdict counts, and none may be stated.
2. Otherwise the caller states the verdict, and the record says so (`basis` is `stated`).
3. Each observation is an entry `signal.observed`. The item's verdict is the most restrictive of all that it ever had: a later
   allowance takes no earlier denial back.
4. A denial keeps the item out of every later manifest; those that hold it already, and their models, are named in the answer.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from sqlmodel import Session

from services.ingest.signals.registry import find_reader
from services.ingest.signals.signal import Signal, SignalVerdict, bounded
from services.ingest.signals.signal_reader import Carrier, SignalReader
from services.ingest.signals.verdict import most_restrictive
from shared.canonical import sha256_hex
from shared.clock import format_moment, utc_now
from shared.errors import InputError
from shared.ledger.bodies import SignalObserved
from shared.ledger.entries import build_entry
from shared.records.entry_rows import append_and_add
from shared.records.items import Item, ItemEntry, SignalRecord, load_signals, lock_item

READ, STATED = "read", "stated"


@dataclass(frozen=True)
class Observation:
    """What was seen: bytes or their digest, where and when, and the verdict where none can be read.

    Args:
        kind: of the statement; those that have a reader are in the registry.
        observed_at: when it was seen.
        raw: the bytes that carry it: an image, a page, a robots.txt, or header fields one a line.
        raw_sha256: their digest, where the bytes are not at hand.
        url: of what the statement is about; needed for what speaks of paths.
        user_agent: of whoever fetched it.
        stated: the verdict, where there is no reader or there are no bytes.
        statement: what was read in it, likewise.
        trust_anchors_pem: certificates that C2PA signers must chain to in order to count as trusted.
    """

    kind: str
    observed_at: datetime
    raw: bytes | None = None
    raw_sha256: str | None = None
    url: str | None = None
    user_agent: str = ""
    stated: SignalVerdict | None = None
    statement: str | None = None
    trust_anchors_pem: str | None = None


def _parse_fields(raw: bytes) -> list[tuple[str, str]]:
    # RFC 9112 section 5: one field a line, name and value with a colon between them; Latin-1 takes every byte.
    lines = raw.decode("latin-1").splitlines()
    return [(name.strip(), value.strip()) for name, colon, value in (line.partition(":") for line in lines) if colon]


def _build_carrier(reader: SignalReader, raw: bytes, observation: Observation) -> Carrier:
    if reader.needs_url and observation.url is None:
        raise InputError(f"expected the URL that a signal of kind {reader.kind} is about, got none", code="signal_url_missing")
    return Carrier(
        raw,
        headers=_parse_fields(raw) if reader.carrier == "headers" else (),
        url=observation.url or "",
        user_agent=observation.user_agent,
        trust_anchors_pem=observation.trust_anchors_pem,
    )


def judge_observation(observation: Observation) -> Signal:
    """Find the verdict of what was seen.

    Raises:
        InputError: a verdict is stated that can be read, or none is stated that cannot; the bytes make no statement of the
            kind; the URL that it takes is missing.
    """
    reader = find_reader(observation.kind)
    if observation.raw is not None and reader is not None:
        return _judge_reading(reader.read(_build_carrier(reader, observation.raw, observation)), observation)
    if observation.stated is None:
        raise InputError(
            f"expected a stated verdict: {observation.kind!r} can be read from its bytes only, and by a reader of that kind",
            code="signal_verdict_missing",
        )
    digest = observation.raw_sha256 if observation.raw is None else sha256_hex(observation.raw)
    if digest is None:
        raise InputError("expected the bytes of the statement or their SHA-256, got neither", code="signal_raw_missing")
    detail = bounded({"basis": STATED, "statement": observation.statement})
    return Signal(observation.kind, observation.stated, digest, detail, observation.observed_at)


def _judge_reading(signal: Signal | None, observation: Observation) -> Signal:
    kind = observation.kind
    if observation.stated is not None:
        raise InputError(f"a verdict on {kind} is read from its bytes; expected none stated", code="signal_verdict_read")
    if signal is None:
        raise InputError(f"expected a statement of kind {kind} in the bytes, got none", code="signal_not_found")
    return replace(signal, observed_at=observation.observed_at)


def basis_of(signal: SignalRecord) -> str:
    """Say whether a recorded verdict was read by a reader of ours or stated by a caller."""
    return STATED if signal.detail.get("basis") == STATED else READ


def record_signal(session: Session, item: Item, signal: Signal) -> SignalRecord:
    """Record a later signal of an item, log it, and judge the item anew, in the caller's transaction.

    Args:
        session: an open transaction; nothing is committed here.
        item: as `lock_item` gave it.
        signal: what was seen.
    """
    body = SignalObserved(
        kind=signal.kind,
        verdict=signal.verdict,
        raw_sha256=signal.raw_sha256,
        detail=signal.detail,
        observed_at=format_moment(signal.observed_at),
    )
    record = append_and_add(
        session,
        build_entry(body, at=utc_now(), subject={"item": item.id}),
        lambda entry_id: SignalRecord(entry_id=entry_id, item_id=item.id, **vars(signal)),
    )
    session.add(ItemEntry(entry_id=record.entry_id, item_id=item.id))
    session.flush()
    item.rights_verdict = most_restrictive(cast("SignalVerdict", record.verdict) for record in load_signals(session, item.id))
    session.add(item)
    session.flush()
    return record


def record_observation(session: Session, item_id: str, observation: Observation) -> SignalRecord:
    """Judge and record what was seen of an item, in the caller's transaction; a URL not given is the item's source.

    Raises:
        NotFoundError: no such item.
        InputError: as `judge_observation`.
    """
    item = lock_item(session, item_id)
    signal = judge_observation(replace(observation, url=observation.url or item.source_url))
    return record_signal(session, item, signal)
