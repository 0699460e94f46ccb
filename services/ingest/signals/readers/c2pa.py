"""The training and data mining assertion in an image's C2PA manifests.

Rules, in order:

1. Nothing is fetched: neither remote manifests nor revocation lists nor identities. A manifest elsewhere is unknown.
2. A manifest store that is damaged or whose signature or bindings do not hold is unknown, whatever it says.
3. Of the four predefined entries three bear on training a generator: data mining, training, generative training. `notAllowed`
   in any of them denies; so does `constrained` that says no more. `constrained` with an explanation is unknown: a person
   has to read it.
4. Only `allowed` for generative training, in the active manifest, allows.
5. A denial in the manifest of an ingredient denies too: the ingredient is in the picture.
6. A signer that no trust anchor vouches for is recorded as untrusted; the statement counts all the same, since anyone may
   reserve rights, and the detail lets a stricter policy tell the two apart.

Source: CAWG Training and Data Mining Assertion 1.1 section 3; C2PA Technical Specification 1.4, "Training and
data mining" (the older labels); 2.2, "Validation states" and "External manifests".
"""

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import c2pa

from services.ingest.signals.containers import EmbeddedMetadata, find_metadata
from services.ingest.signals.signal import Signal, SignalReading, SignalVerdict, read_or_unknown
from services.ingest.signals.signal_reader import SignalReader
from services.ingest.signals.verdict import most_restrictive
from services.ingest.signals.xmp import read_packets

# Current and older label; a claim that carries several of a kind numbers them: `label__1`.
LABELS = ("cawg.training-mining", "c2pa.training-mining")
GENERATIVE_TRAINING = "ai_generative_training"
# Rule 3. `ai_inference` is no training and only recorded.
_TRAINING_USES = frozenset({"data_mining", "ai_training", GENERATIVE_TRAINING})
# The specification's text names the field in the plural, its schema in the singular.
_CONSTRAINT_FIELDS = ("constraint_info", "constraints_info")
# C2PA 2.2, Validation states: a valid manifest's signer may be unknown; a trusted one's is not.
_GOOD_STATES = frozenset({"Valid", "Trusted"})

# What a signer's certificate must be issued for, any one of them; the library refuses others, and without a list of ours all
# but the first, so that a denial under the C2PA programme's own certificates would be unknown.
SIGNING_PURPOSES = (
    "1.3.6.1.5.5.7.3.4",  # id-kp-emailProtection: C2PA 2.1, "Certificate Profiles"; RFC 5280 section 4.2.1.12
    "1.3.6.1.5.5.7.3.36",  # id-kp-documentSigning: the same; RFC 9336
    "1.3.6.1.4.1.62558.2.1",  # c2pa-kp-claimSigning: C2PA Certificate Policy
    "1.3.6.1.4.1.311.76.59.1.9",  # Microsoft C2PA signing: accepted by the reference implementation, valid_eku_oids.cfg
)

# Our own bound on what a compressed manifest may unfold to; without thumbnails it is some kB.
MAX_DECOMPRESSED_MB = 16
# C2PA 2.2, External manifests: where a file says that its manifest is elsewhere.
_PROVENANCE = "{http://purl.org/dc/terms/}provenance"


def read_c2pa(data: bytes, trust_anchors_pem: str | None = None, metadata: EmbeddedMetadata | None = None) -> Signal | None:
    """Read the training and data mining assertions of an image file.

    Args:
        data: the encoded PNG, JPEG or WebP.
        trust_anchors_pem: certificates, PEM, that signers must chain to in order to count as trusted; none where not given.
        metadata: what `find_metadata` took out of the file; looked for where not given.

    Returns:
        The signal, with the digest of the embedded manifest store; None where there is none or it makes no such assertion.
    """
    metadata = find_metadata(data) if metadata is None else metadata
    media_type = metadata.media_type
    if media_type is None:
        return None
    if not metadata.c2pa:
        return _read_remote(metadata.xmp)
    return read_or_unknown("c2pa-training-mining", b"".join(metadata.c2pa), lambda: _find(data, media_type, trust_anchors_pem))


def _read_remote(packets: list[bytes]) -> Signal | None:
    raw = b"".join(packets)
    if b"provenance" not in raw:
        return None  # Most pictures: their XMP need not be parsed for this.
    return read_or_unknown("c2pa-training-mining", raw, lambda: _find_remote(packets))


def _find_remote(packets: list[bytes]) -> SignalReading | None:
    addresses = read_packets(packets)[0].get(_PROVENANCE)
    if not addresses:
        return None
    return SignalReading(
        "unknown", {"error": "the manifest is not in the file and was not fetched", "remote": list(addresses)}
    )


def _find(data: bytes, media_type: str, trust_anchors_pem: str | None) -> SignalReading | None:
    reader = c2pa.Reader.try_create(media_type, io.BytesIO(data), context=_context(trust_anchors_pem, os.getpid()))
    if reader is None:
        return None
    with reader:
        store = json.loads(reader.json())
    return judge_manifest_store(store)


@lru_cache(maxsize=8)
def _context(trust_anchors_pem: str | None, _process_id: int) -> c2pa.Context:
    # By process, since the library gives up a context's native half in a forked child.
    trust = {"trust_config": "\n".join(SIGNING_PURPOSES)}
    if trust_anchors_pem:
        trust["user_anchors"] = trust_anchors_pem
    settings: dict[str, Any] = {
        "trust": trust,
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
        "core": {
            "allowed_network_hosts": [],
            "decode_identity_assertions": False,
            "max_decompressed_manifest_size_in_mb": MAX_DECOMPRESSED_MB,
        },
    }
    return c2pa.Context.from_dict(settings)


def judge_manifest_store(store: Mapping[str, Any]) -> SignalReading | None:
    """Judge a manifest store as the C2PA reader reports it; None where no manifest makes a training assertion.

    Args:
        store: the reader's JSON: `active_manifest`, `manifests`, `validation_state`, `validation_status`.
    """
    state = str(store.get("validation_state"))
    manifests = store.get("manifests") or {}
    statements = [entry for label, manifest in manifests.items() for entry in _entries(label, manifest)]
    if not statements and state in _GOOD_STATES:
        return None
    active = str(store.get("active_manifest"))
    signer = (manifests.get(active) or {}).get("signature_info") or {}
    detail = {
        "validation_state": state,
        "validation_codes": [status.get("code") for status in store.get("validation_status") or []],
        "signer_trusted": state == "Trusted",
        "signer": {name: str(signer[name]) for name in ("issuer", "common_name", "alg") if name in signer},
        "active_manifest": active,
        "statements": statements,
    }
    if state not in _GOOD_STATES:
        return SignalReading("unknown", {"error": f"manifest does not validate: {state}", **detail})
    return SignalReading(_verdict(statements, active), detail)


def _entries(label: str, manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for assertion in manifest.get("assertions") or []:
        if str(assertion.get("label")).partition("__")[0] in LABELS:
            for name, entry in assertion["data"]["entries"].items():
                yield {"manifest": label, "entry": str(name), **entry}


def _verdict(statements: Sequence[Mapping[str, Any]], active: str) -> SignalVerdict:
    verdicts = [
        (entry["manifest"], use, _judge_entry(entry))
        for entry in statements
        if (use := entry["entry"].removeprefix("cawg.").removeprefix("c2pa.")) in _TRAINING_USES
    ]
    verdict = most_restrictive(verdict for _, _, verdict in verdicts)
    if verdict == "allow" and (active, GENERATIVE_TRAINING, "allow") not in verdicts:
        return "unknown"
    return verdict


def _judge_entry(entry: Mapping[str, Any]) -> SignalVerdict:
    use = entry.get("use")
    if use == "notAllowed":
        return "deny"
    if use == "constrained":
        return "unknown" if any(entry.get(name) for name in _CONSTRAINT_FIELDS) else "deny"
    return "allow" if use == "allowed" else "unknown"


READERS = (
    SignalReader(
        "c2pa-training-mining",
        "image",
        lambda image: read_c2pa(image.raw, image.trust_anchors_pem, image.metadata),
        position=10,
    ),
)
