"""Signed notes and the keys that verify them."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.errors import InputError, VerificationError
from shared.ledger.note import Signer, parse_vkey, verify_note

# The example of the Go package that the format comes from: https://pkg.go.dev/golang.org/x/mod/sumdb/note
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_NOTE = (
    f"{GO_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_published_note_verifies() -> None:
    assert verify_note(GO_NOTE, GO_VKEY) == GO_TEXT
    assert str(parse_vkey(GO_VKEY)) == GO_VKEY


def test_a_note_that_was_signed_verifies(signer: Signer) -> None:
    text = "first\n\nsecond — with a dash\n"
    assert verify_note(signer.sign_note(text), signer.vkey) == text


def test_no_byte_of_a_note_can_change(signer: Signer) -> None:
    note = signer.sign_note("line\n").encode()
    for position in range(len(note)):
        for bit in range(8):
            flipped = bytearray(note)
            flipped[position] ^= 1 << bit
            with pytest.raises((VerificationError, UnicodeDecodeError)):
                verify_note(flipped.decode(), signer.vkey)


def test_signatures_of_other_keys_are_passed_over(signer: Signer) -> None:
    note = signer.sign_note("text\n")
    witness = Signer("witness.example", Ed25519PrivateKey.generate()).sign_note("text\n").split("\n")[-2]
    assert verify_note(f"{note}{witness}\n", signer.vkey) == "text\n"
    with pytest.raises(VerificationError, match=r"expected a signature of example\.com/log"):
        verify_note(f"text\n\n{witness}\n", signer.vkey)


def test_another_key_of_the_same_name_does_not_verify(signer: Signer) -> None:
    impostor = Signer(signer.name, Ed25519PrivateKey.generate())
    with pytest.raises(VerificationError, match="expected a signature"):
        verify_note(impostor.sign_note("text\n"), signer.vkey)


def test_one_bad_signature_of_the_key_spoils_the_note(signer: Signer) -> None:
    note, other = signer.sign_note("text\n"), signer.sign_note("other\n")
    with pytest.raises(VerificationError, match="one that holds"):
        verify_note(note + other.split("\n")[-2] + "\n", signer.vkey)


@pytest.mark.parametrize(
    "note",
    ["", "text\n", "text\n\n", "text\n\n— name\n", "text\n\n- name AAAAAAA=\n", "te\txt\n\n— n AAAAAAAA\n"],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(VerificationError):
        verify_note(note, GO_VKEY)


def test_too_many_signatures_are_refused(signer: Signer) -> None:
    note = signer.sign_note("text\n")
    with pytest.raises(VerificationError, match="at most 64 signatures, got 65"):
        verify_note(note + (note.split("\n")[-2] + "\n") * 64, signer.vkey)


@pytest.mark.parametrize("vkey", ["", "name", "a b+c74f20a3+AA==", GO_VKEY.replace("c7", "c8"), GO_VKEY + "="])
def test_what_is_no_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(VerificationError, match="verifier key"):
        parse_vkey(vkey)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\n", "nul\0", "\udc80"])
def test_a_name_that_cannot_name_a_key_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="key name"):
        Signer(name, Ed25519PrivateKey.generate())


@pytest.mark.parametrize("text", ["", "no newline", "tab\there\n"])
def test_a_text_that_cannot_be_signed_is_refused(signer: Signer, text: str) -> None:
    with pytest.raises(InputError, match="note text"):
        signer.sign_note(text)
