"""Signed notes: a text, a blank line, and one signature line a key.

Rules, in order:

1. A key is a name and 32 bytes of Ed25519; its id is SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[:4].
2. A verifier knows its key beforehand, as a verifier key: `<name>+<id in hex>+<base64 of 0x01 ‖ public key>`.
3. Signature lines of other keys are ignored; every line of the known key must verify, and there must be one.
4. Every character counts: base64 has one spelling, lines one form, control characters are refused.

Source: C2SP signed-note; the verifier key is the encoding of golang.org/x/mod/sumdb/note.
"""

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.errors import InputError, VerificationError
from shared.ledger.lexical import encode_base64, parse_base64

# C2SP signed-note, "Signature types": 0x01 is Ed25519.
_ED25519 = b"\x01"

# RFC 8032: Ed25519 public keys have 32 bytes, signatures 64. C2SP signed-note: key ids have 4.
_PUBLIC_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_KEY_ID_BYTES = 4

# C2SP signed-note asks verifiers for a limit, and to accept at least 16 signatures.
_MAX_SIGNATURES = 64


@dataclass(frozen=True)
class VerifierKey:
    """A key that notes are checked against: its name and its public half."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of the hash of name, algorithm and public key."""
        material = self.name.encode() + b"\n" + _ED25519 + self.public_key
        return hashlib.sha256(material).digest()[:_KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(_ED25519 + self.public_key)}"


class Signer:
    """A named Ed25519 key that signs notes.

    Args:
        name: the key name; for a log, its origin.
        private_key: the Ed25519 private key.

    Raises:
        InputError: the name is empty or holds a space or a plus.
    """

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        if not is_key_name(name):
            raise InputError(f"key name: expected no spaces, no plus and at least one character, got {name!r}")
        self._private_key = private_key
        self._key = VerifierKey(name, private_key.public_key().public_bytes_raw())

    @property
    def name(self) -> str:
        """The key name."""
        return self._key.name

    @property
    def vkey(self) -> str:
        """The verifier key, to be published."""
        return str(self._key)

    def sign_note(self, text: str) -> str:
        """Sign a text.

        Args:
            text: lines, each ended by a newline, without other control characters.

        Returns:
            The text, an empty line and the signature line.

        Raises:
            InputError: the text does not end in a newline or holds a control character.
        """
        if not text.endswith("\n") or _has_control_characters(text):
            raise InputError(f"note text: expected lines ended by newlines, got {text[-40:]!r}")
        signature = self._private_key.sign(text.encode())
        return f"{text}\n— {self.name} {encode_base64(self._key.key_id + signature)}\n"


def is_key_name(name: str) -> bool:
    """Say whether a name can name a key.

    >>> is_key_name("example.com/log"), is_key_name("two words")
    (True, False)
    """
    return bool(name) and not any(
        character == "+" or character < " " or character.isspace() or "\ud800" <= character <= "\udfff" for character in name
    )


def parse_vkey(vkey: str) -> VerifierKey:
    """Read a verifier key.

    Args:
        vkey: `<name>+<8 hexadecimal digits>+<base64>`.

    Returns:
        The key.

    Raises:
        VerificationError: the form is wrong, the algorithm is not Ed25519, or the id is not the key's.
    """
    parts = vkey.split("+", 2)  # base64 may hold a plus, the name and the id cannot
    if len(parts) != 3 or not is_key_name(parts[0]):
        raise VerificationError(f"verifier key: expected name+id+base64, got {vkey[:80]!r}")
    name, key_id, encoded = parts
    data = parse_base64(encoded, name="verifier key", size_bytes=len(_ED25519) + _PUBLIC_KEY_BYTES)
    if data[:1] != _ED25519:
        raise VerificationError(f"verifier key: expected algorithm 01 (Ed25519), got {data[:1].hex()}")
    key = VerifierKey(name, data[1:])
    if key_id != key.key_id.hex():
        raise VerificationError(f"verifier key id: expected {key.key_id.hex()}, got {key_id[:16]!r}")
    return key


def verify_note(note: str, vkey: str) -> str:
    """Check a signed note against one known key.

    Args:
        note: the signed note.
        vkey: the verifier key.

    Returns:
        The text that is signed, with its last newline.

    Raises:
        VerificationError: the form is wrong, the key has not signed, or a signature of the key does not hold.
    """
    key = parse_vkey(vkey)
    text, lines = _split_note(note)
    signatures = [
        data[_KEY_ID_BYTES:]
        for name, data in map(_parse_signature_line, lines)
        if name == key.name and data[:_KEY_ID_BYTES] == key.key_id
    ]
    if not signatures:
        raise VerificationError(f"note: expected a signature of {key.name}+{key.key_id.hex()}, got none")
    for signature in signatures:
        _verify_signature(key, signature, text)
    return text


def _has_control_characters(text: str) -> bool:
    # C2SP signed-note: no ASCII control characters, those below U+0020, other than newline.
    return any(character < " " and character != "\n" for character in text)


def _split_note(note: str) -> tuple[str, list[str]]:
    """Cut a note at its last empty line into text and signature lines."""
    text, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n") or _has_control_characters(note):
        raise VerificationError(f"note: expected a text, an empty line and signature lines, got {note[-60:]!r}")
    lines = tail[:-1].split("\n")
    if len(lines) > _MAX_SIGNATURES:
        raise VerificationError(f"note: expected at most {_MAX_SIGNATURES} signatures, got {len(lines)}")
    return text + "\n", lines


def _parse_signature_line(line: str) -> tuple[str, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not is_key_name(parts[1]):
        raise VerificationError(f"signature line: expected an em dash, a key name and base64, got {line[:80]!r}")
    data = parse_base64(parts[2], name=f"signature of {parts[1]}")
    if len(data) <= _KEY_ID_BYTES:
        raise VerificationError(f"signature of {parts[1]}: expected more than 4 bytes, got {len(data)}")
    return parts[1], data


def _verify_signature(key: VerifierKey, signature: bytes, text: str) -> None:
    if len(signature) != _SIGNATURE_BYTES:
        raise VerificationError(f"signature of {key.name}: expected {_SIGNATURE_BYTES} bytes, got {len(signature)}")
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, text.encode())
    except (InvalidSignature, ValueError) as error:  # ValueError: no such key, or a text that is not Unicode
        raise VerificationError(
            f"signature of {key.name}: expected one that holds over the text, got {signature.hex()[:16]}…"
        ) from error
