"""Real C2PA-signed pictures: a certificate chain of our own, and the reference implementation's builder."""

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.factories import encode, picture

EMAIL_PROTECTION = ExtendedKeyUsageOID.EMAIL_PROTECTION.dotted_string
FORMATS = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
}
_CREATED = {
    "label": "c2pa.actions",
    "data": {
        "actions": [
            {
                "action": "c2pa.created",
                "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
            }
        ]
    },
}


@dataclass(frozen=True)
class Chain:
    """A root, a signer's certificate below it with the root behind it, and the signer's key; all PEM."""

    root_pem: str
    signer_pem: bytes
    key_pem: bytes


def chain(of: str = "Test", purpose: str = EMAIL_PROTECTION) -> Chain:
    """The chain of one certificate authority, the same one at every call; each name and purpose is another one."""
    return _chain(of, purpose)


@cache
def _chain(of: str, purpose: str) -> Chain:
    # Without defaults: `cache` tells an argument left out from the same one given, and there would be two authorities.
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, signer_name = _name(f"{of} root"), _name(f"{of} signer")
    root = (
        _certificate(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    signer = (
        _certificate(signer_name, root_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(purpose)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key_pem = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    root_pem = root.public_bytes(pem)
    return Chain(root_pem.decode(), signer.public_bytes(pem) + root_pem, key_pem)


def _name(common_name: str) -> x509.Name:
    parts = {NameOID.COUNTRY_NAME: "CH", NameOID.ORGANIZATION_NAME: "Test", NameOID.COMMON_NAME: common_name}
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts.items()])


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )


def _usage(**given: bool) -> x509.KeyUsage:
    names = "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
    none = dict.fromkeys([*names.split(), "encipher_only", "decipher_only"], False)
    return x509.KeyUsage(**(none | given))


def training_mining(entries: dict[str, Any], prefix: str = "cawg") -> dict[str, Any]:
    """A training and data mining assertion; entries by their name without prefix, as a use or as a whole entry."""
    whole = {name: {"use": entry} if isinstance(entry, str) else entry for name, entry in entries.items()}
    return {"label": f"{prefix}.training-mining", "data": {"entries": {f"{prefix}.{k}": v for k, v in whole.items()}}}


def sign(
    *assertions: dict[str, Any],
    kind: str = "PNG",
    data: bytes | None = None,
    ingredient: bytes | None = None,
    remote_url: str | None = None,
    by: str = "Test",
    purpose: str = EMAIL_PROTECTION,
) -> bytes:
    """A picture signed with these assertions by a chain; with an ingredient, or with its manifest elsewhere."""
    manifest = {"claim_generator_info": [{"name": "test"}], "title": "A work", "assertions": [_CREATED, *assertions]}
    quiet = {"builder": {"thumbnail": {"enabled": False}}, "verify": {"verify_after_sign": False}}
    credential = chain(by, purpose)
    info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, credential.signer_pem, credential.key_pem, None)
    signed = io.BytesIO()
    source = io.BytesIO(encode(picture(1), kind) if data is None else data)
    with (
        c2pa.Context.from_dict(quiet) as context,
        c2pa.Signer.from_info(info) as signer,
        c2pa.Builder.from_json(json.dumps(manifest), context) as builder,
    ):
        if ingredient is not None:
            relation = json.dumps({"title": "An older work", "relationship": "componentOf"})
            builder.add_ingredient(relation, FORMATS["PNG"], io.BytesIO(ingredient))
        if remote_url is not None:
            builder.set_no_embed()
            builder.set_remote_url(remote_url)
        builder.sign(signer, FORMATS[kind], source, signed)
    return signed.getvalue()
