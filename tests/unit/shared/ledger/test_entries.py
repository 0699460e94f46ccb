"""Entries and their bodies."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.canonical import canonical_json
from shared.errors import InputError
from shared.ledger.authorship import Author, writing_for
from shared.ledger.bodies import BODY_BY_TYPE, DatasetSealed, ItemRegistered, ItemWithdrawn, KeyRevoked
from shared.ledger.body_fields import EntryBody
from shared.ledger.entries import Entry, build_entry, parse_entry
from shared.ledger.openings import FieldOpening, open_values, verify_opening
from shared.ledger.output_bodies import CheckDecided, FlagRaised

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
TIME = "2026-01-31T12:00:00.000Z"
DIGEST = "0123456789abcdef" * 4

BODIES: dict[str, dict[str, Any]] = {
    "key.created": {"scopes": ["checks:write"], "party": None, "expires_at": TIME, "by": None},
    "key.revoked": {"by": "0198c0dea4c177d18ab2e9d1c40f0001"},
    "item.registered": {
        "dataset": "flowers",
        "title": "Eine schöne Blume",
        "media_type": "image/png",
        "width_px": 64,
        "height_px": 64,
        "size_bytes": 1234,
        "licence": "CC-BY-4.0",
        "licence_url": None,
        "acquired_at": TIME,
        "acquired_from": None,
        "source_url": "https://example.com/a.png",
        "archival_link": {
            "original_url": "https://example.com/a.png",
            "snapshot_url": None,
            "version_date": None,
            "sha256": DIGEST,
            "state": "captured",
        },
        "owners": [{"party": "p1", "role": "author", "basis": "metadata", "confidence": 0.5}],
        "acquirer": "p2",
        "diligence": [
            {
                "source": "register",
                "searched_at": TIME,
                "jurisdiction": "DE",
                "result": "not found",
                "expires_at": None,
            }
        ],
        "training_permission": None,
    },
    "signal.observed": {
        "kind": "tdmrep-header",
        "verdict": "deny",
        "raw_sha256": DIGEST,
        "detail": {"reservation": 1},
        "observed_at": TIME,
    },
    "item.amended": {
        "reason": "a letter",
        "title": None,
        "licence": "CC0-1.0",
        "licence_url": None,
        "snapshot_url": None,
        "version_date": "2026-01-31",
        "owners": [{"party": "p1", "role": "rightsholder", "basis": "letter", "confidence": 0.9}],
    },
    "item.withdrawn": {"reason": "opted out"},
    "party.erased": {"reason": "a request under Art. 17 GDPR", "commitments": 3},
    "archive.verified": {
        "original_url": "https://example.com/a.png",
        "snapshot_url": None,
        "expected_sha256": DIGEST,
        "state": "unchecked",
        "reason": "original: host_unknown",
    },
    "archive.captured": {
        "original_url": "https://example.com/a.png",
        "locator": "2026-01-31.warc.gz#120+4096",
        "snapshot_url": None,
        "version_date": "2026-01-31",
        "payload_sha256": DIGEST,
        "matches": True,
    },
    "dataset.sealed": {"name": "slice 1", "purpose": "train", "size": 100, "root": DIGEST},
    "model.trained": {
        "name": "m",
        "manifest_id": "m1",
        "manifest_root": DIGEST,
        "weights_sha256": DIGEST,
        "config_sha256": DIGEST,
        "code_version": "1.0",
        "updates": 1000,
        "seed": None,
    },
    "model.imported": {
        "name": "m",
        "manifest_id": "m1",
        "manifest_root": DIGEST,
        "weights_sha256": DIGEST,
        "config_sha256": DIGEST,
        "code_version": "1.0",
        "updates": None,
        "seed": 7,
    },
    "audit.completed": {
        "model_id": "m",
        "control_manifest_id": "c",
        "generations": 10,
        "copies": 1,
        "distinct_items_copied": 1,
        "threshold": 0.25,
        "attainable_rate": 0.01,
        "report_sha256": DIGEST,
    },
    "audit.failed": {
        "model_id": "m",
        "control_manifest_id": "c",
        "generations": 10,
        "failed_controls": [{"control": "copycat", "rule": "ssim"}],
        "report_sha256": DIGEST,
    },
    "study.completed": {
        "name": "cpu",
        "dataset": "tiles",
        "config_sha256": DIGEST,
        "audits": ["a"],
        "report_sha256": DIGEST,
    },
    "policy.adopted": {"name": "default", "version": "1", "sha256": DIGEST},
    "check.decided": {
        "model_id": "m",
        "manifest_root": DIGEST,
        "generation_sha256": DIGEST,
        "decision": "flag",
        "reason": None,
        "item": "i1",
        "rule": "fused",
        "score": 3.5,
        "p_value": "0.001",
        "metrics": {"ssim": 0.5, "psnr": None},
        "policy_sha256": DIGEST,
        "calibration_sha256": None,
        "embedder": "pixel-1",
        "index_cursor": 12,
    },
    "check.reviewed": {"role": "reviewer", "verdict": "confirm", "reason": None},
    "flag.raised": {"check_id": "c1", "item": "i1", "owners": [{"party": "p1", "share": 1}]},
    "flag.reviewed": {"role": "reviewer", "verdict": "overturn", "reason": "a common motif"},
    "flag.notified": {"role": "compliance", "reason": None},
    "flag.answered": {"role": "owner", "answer": "disputed", "reason": "too little"},
    "flag.assessed": {"role": "compliance", "reason": "settled", "currency": "EUR", "amount_minor": 5, "owners": []},
    "flag.held": {"role": "compliance", "reason": "a claim", "held": "claim"},
    "flag.released": {"role": "compliance", "reason": "they agree", "released": "claim", "owners": []},
    "flag.resolved": {"role": "finance", "outcome": "paid", "reason": None, "currency": "EUR", "amount_minor": 5},
    "diligence.searched": {
        "search": "s1",
        "sources": ["register"],
        "work_category": "photography",
        "searched_by": "p1",
        "searched_at": TIME,
        "jurisdiction": None,
        "result": "owner_not_found",
        "expires_at": TIME,
    },
}


def test_an_entry_has_one_spelling() -> None:
    body = {"b": 1.0, "a": "ü"}
    entry = Entry(type="test.made", at=TIME, subject={"item_id": "i"}, body=body, commitments={"x": DIGEST})
    expected = (
        f'{{"at":"{TIME}","body":{{"a":"ü","b":1}},"commitments":{{"x":"{DIGEST}"}},'
        '"subject":{"item_id":"i"},"type":"test.made","v":1}'
    )
    assert entry.canonical_bytes() == expected.encode()


@pytest.mark.parametrize("entry_type", BODY_BY_TYPE)
def test_every_known_body_goes_in_and_comes_out(entry_type: str) -> None:
    body = BODY_BY_TYPE[entry_type].model_validate(BODIES[entry_type])
    entry = build_entry(body, at=AT, subject={"id": "1"})
    parsed = parse_entry(entry.canonical_bytes())
    assert parsed.typed_body(opened(entry)) == body
    assert parsed.canonical_bytes() == entry.canonical_bytes()


def opened(entry: Entry) -> dict[str, FieldOpening]:
    """What opens a new entry, verified against it."""
    assert entry.opening is not None
    opening = open_values(json.loads(entry.opening.values), entry.opening.seed)
    verify_opening(opening, entry.commitments)
    return opening


@pytest.mark.parametrize("entry_type", BODY_BY_TYPE)
def test_an_entry_shows_its_clear_fields_and_commits_to_all_others_and_to_its_author(entry_type: str) -> None:
    model = BODY_BY_TYPE[entry_type]
    assert model.clear <= set(model.model_fields)
    body = model.model_validate(BODIES[entry_type])
    entry, again = (build_entry(body, at=AT, subject={}) for _ in range(2))
    assert entry.v == 2
    # What came later and is not said stays absent.
    assert set(entry.body) == model.clear & body.model_fields_set
    assert all(model.model_fields[name].default is None for name in model.clear - body.model_fields_set)
    assert set(entry.commitments) == {"by", *(f"body.{name}" for name in model.hidden())}
    # Equal values, null among them, do not show as equal.
    digests = [*entry.commitments.values(), *again.commitments.values()]
    assert len(set(digests)) == len(digests)
    assert (entry.typed_body() is None) == bool(model.hidden())
    assert opened(entry)["by"].value == {"key": None, "role": "operator"}


@pytest.mark.parametrize("entry_type", BODY_BY_TYPE)
def test_an_entry_of_version_1_stays_valid_and_shows_its_body(entry_type: str) -> None:
    older = Entry(type=entry_type, at=TIME, subject={"id": "1"}, body=BODIES[entry_type])
    assert b'"v":1' in older.canonical_bytes()
    parsed = parse_entry(older.canonical_bytes())
    assert parsed.typed_body() == BODY_BY_TYPE[entry_type].model_validate(BODIES[entry_type])
    with pytest.raises(InputError, match=r"Extra inputs|commitment"):
        parse_entry(older.canonical_bytes().replace(b'"v":1', b'"v":2'))


def test_an_entry_of_version_2_that_leaves_out_a_commitment_or_shows_a_hidden_field_is_refused() -> None:
    entry = build_entry(DatasetSealed(**BODIES["dataset.sealed"]), at=AT, subject={"manifest": "m1"})
    fields = json.loads(entry.canonical_bytes())
    for name in ("by", "body.name"):
        less = {key: value for key, value in fields["commitments"].items() if key != name}
        with pytest.raises(InputError, match=f"expected a commitment to {name}"):
            parse_entry(canonical_json(fields | {"commitments": less}))
    with pytest.raises(InputError, match="name: Extra inputs"):
        parse_entry(canonical_json(fields | {"body": fields["body"] | {"name": "slice 1"}}))
    with pytest.raises(InputError, match="size"):
        parse_entry(canonical_json(fields | {"body": fields["body"] | {"size": -1}}))


def test_an_entry_commits_to_whom_it_is_made_for() -> None:
    with writing_for(Author("k1", "party")):
        entry = build_entry(KeyRevoked(by=None), at=AT, subject={"key": "k2"})
    assert opened(entry)["by"].value == {"key": "k1", "role": "party"}
    assert entry.opening is not None
    assert entry.opening.author == "k1"


def test_hidden_fields_beyond_the_limit_of_an_entry_are_refused() -> None:
    build_entry(ItemWithdrawn(reason="x" * 65_000), at=AT, subject={})
    with pytest.raises(InputError) as caught:
        build_entry(ItemWithdrawn(reason="x" * 65_536), at=AT, subject={})
    assert caught.value.code == "entry_too_long"


@pytest.mark.parametrize("entry_type", BODY_BY_TYPE)
def test_every_field_is_required_and_no_other_is_allowed(entry_type: str) -> None:
    body = BODIES[entry_type]
    for name in body:
        with pytest.raises(InputError, match=f"entry: .*{name}"):
            BODY_BY_TYPE[entry_type](**{key: body[key] for key in body if key != name})
    with pytest.raises(InputError):
        BODY_BY_TYPE[entry_type](**body, extra=1)


@pytest.mark.parametrize(
    ("entry_type", "change"),
    [
        ("item.registered", {"licence": "CC_BY"}),
        ("item.registered", {"acquired_at": "2026-02-30T12:00:00.000Z"}),
        ("item.registered", {"acquired_at": "2026-01-31T12:00:00Z"}),
        ("item.registered", {"width_px": 0}),
        ("item.registered", {"width_px": "64"}),
        ("item.registered", {"owners": [{"party": "p", "role": "r", "basis": "b", "confidence": 1.5}]}),
        ("dataset.sealed", {"purpose": "test"}),
        ("dataset.sealed", {"root": DIGEST.upper()}),
        ("model.trained", {"updates": None}),
        ("audit.completed", {"threshold": float("nan")}),
        ("check.decided", {"decision": "maybe"}),
        ("check.decided", {"p_value": "about 1"}),
        ("check.decided", {"p_value": 2}),
        ("check.decided", {"metrics": {"psnr": float("inf")}}),
    ],
)
def test_a_value_out_of_range_is_refused(entry_type: str, change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="entry: "):
        BODY_BY_TYPE[entry_type](**{**BODIES[entry_type], **change})


def test_what_came_later_may_be_absent_and_fits_when_it_is_there() -> None:
    owners = [{"party": "p1", "share": 0.333334, "amount_minor": 34}]
    later = BODIES["flag.raised"] | {"owners": owners, "currency": "EUR", "amount_minor": 100, "held": "owner_unknown"}
    for body in (BODIES["flag.raised"], later):
        entry = build_entry(FlagRaised(**body), at=AT, subject={"flag": "f1"})
        assert parse_entry(entry.canonical_bytes()).typed_body(opened(entry)) == FlagRaised(**body)
    for wrong in ({"currency": "eur"}, {"amount_minor": -1}, {"amount_minor": 1.5}, {"amount_minor": 2**53}):
        with pytest.raises(InputError, match="entry: "):
            FlagRaised(**later | wrong)
    lies = {"agreement": 0.97, "contradicted": 0, "recoloured": 0.25, "shown": 1, "turned_degrees": 0.2, "scale": 1.001}
    kind = {"kind": "recoloured", "kind_figures": lies | {"mirrored": False}}
    decided = build_entry(CheckDecided(**BODIES["check.decided"] | kind), at=AT, subject={"check": "c1"})
    assert decided.opened_body(opened(decided)) == BODIES["check.decided"] | kind | {"further_items": None}
    further = BODIES["check.decided"] | {"further_flags": 2, "further_items": ["i2", "i3"]}
    several = build_entry(CheckDecided(**further), at=AT, subject={"check": "c1"})
    assert several.body["further_flags"] == 2
    assert "further_items" not in several.body
    assert parse_entry(several.canonical_bytes()).typed_body(opened(several)) == CheckDecided(**further)
    with pytest.raises(InputError, match="entry: "):
        CheckDecided(**further | {"further_flags": 0})
    for unknown in ({"kind": "stolen"}, {"kind_figures": lies}, {"kind_figures": kind["kind_figures"] | {"shown": 1.1}}):  # type: ignore[operator]
        with pytest.raises(InputError, match="entry: "):
            CheckDecided(**BODIES["check.decided"] | unknown)


def test_an_entry_of_before_there_was_a_field_is_opened_without_it() -> None:
    entry = build_entry(ItemRegistered(**BODIES["item.registered"], frames=3), at=AT, subject={"item": "i1"})
    assert entry.typed_body(opened(entry)) == ItemRegistered(**BODIES["item.registered"], frames=3)
    less = {name: shown for name, shown in opened(entry).items() if name != "body.frames"}
    assert entry.typed_body(less) is None  # it commits to frames, and nobody says to how many
    fields = json.loads(entry.canonical_bytes())
    fields["commitments"].pop("body.frames")
    earlier = parse_entry(canonical_json(fields))
    assert earlier.typed_body(less) == ItemRegistered(**BODIES["item.registered"])
    assert ItemRegistered(**BODIES["item.registered"]).frames is None
    with pytest.raises(InputError, match="frames"):
        ItemRegistered(**BODIES["item.registered"], frames=0)


def made(body: dict[str, Any]) -> Entry:
    """An entry of a type that nobody knows."""
    return Entry(type="test.made", at=TIME, subject={}, body=body)


def test_an_entry_that_a_bundle_cannot_hold_is_refused() -> None:
    length_bytes = len(made({"x": ""}).canonical_bytes())
    longest = made({"x": "a" * (65_535 - length_bytes)})
    assert len(longest.canonical_bytes()) == 65_535
    with pytest.raises(InputError, match="expected at most 65535 bytes, got 65536"):
        made({"x": "a" * (65_536 - length_bytes)}).canonical_bytes()


GOOD = made({"n": 1}).canonical_bytes()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 60_000,
        b'{"at":' * 10_000,
        GOOD.replace(b'{"n":1}', b'{"n":' + b"[" * 700 + b"]" * 700 + b"}"),
        GOOD + b"\n",
        GOOD.replace(b":1}", b": 1}"),
        GOOD.replace(b'"n":1', b'"n":1.0'),
        GOOD.replace(b'"n":1', b'"n":NaN'),
        GOOD.replace(b'"n":1', b'"n":9007199254740993'),
        GOOD.replace(b'"n":1', b'"n":0,"n":1'),
        GOOD.replace(b'"v":1', b'"v":3'),
        GOOD.replace(b'"v":1', b'"v":1,"w":1'),
        GOOD.replace(b'"commitments":{},', b""),
        GOOD.replace(b"test.made", b"Test made"),
        GOOD.replace(b"12:00", b"25:00"),
    ],
    ids=range(17),
)
def test_bytes_that_are_no_entry_are_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"entry|canonical"):
        parse_entry(data)


def test_an_unknown_type_is_read_all_the_same() -> None:
    entry = parse_entry(GOOD)
    assert entry.type == "test.made"
    assert entry.typed_body() is None


def test_every_type_in_use_has_a_body_model() -> None:
    assert set(BODY_BY_TYPE) == set(BODIES)
    assert all(issubclass(body, EntryBody) for body in BODY_BY_TYPE.values())
