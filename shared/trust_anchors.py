"""Certificates that an operator trusts to vouch for signers, read from a PEM file.

Rules, in order:

1. A file without a certificate, or with one that cannot be read, is refused as a whole. To trust less than was configured
   would go unnoticed.
2. Only the certificates of the file are kept. A private key in the same file goes no further.

Source: RFC 7468 sections 2 and 5.
"""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from shared.errors import InputError


def load_trust_anchors(path: Path) -> str:
    """Read the certificates of a PEM file.

    Args:
        path: of the file.

    Returns:
        The certificates, PEM, in their order.

    Raises:
        InputError: code `settings_invalid`; the file cannot be read, or has no certificate or a damaged one.
    """
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"SLEEVE_C2PA_TRUST_ANCHORS: expected a PEM file of certificates at {path}: {reason}"
        raise InputError(message, code="settings_invalid") from error
    return "".join(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in certificates)
