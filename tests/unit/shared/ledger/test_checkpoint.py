"""Checkpoints: what is signed verifies, and nothing else is read as one."""

import pytest

from shared.errors import VerificationError
from shared.ledger.checkpoint import parse_checkpoint, sign_checkpoint, verify_checkpoint
from shared.ledger.merkle import EMPTY_ROOT
from shared.ledger.note import Signer


def test_a_checkpoint_verifies_and_says_what_was_signed(signer: Signer) -> None:
    checkpoint = sign_checkpoint(signer, 7, EMPTY_ROOT)
    assert verify_checkpoint(checkpoint.note, signer.vkey) == checkpoint
    assert checkpoint.note.startswith("example.com/log\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— ")


def test_a_checkpoint_of_another_origin_is_refused(signer: Signer) -> None:
    text = sign_checkpoint(signer, 7, EMPTY_ROOT).note.split("\n\n")[0].replace("example.com", "example.net")
    with pytest.raises(VerificationError, match=r"expected example\.com/log, got example\.net/log"):
        verify_checkpoint(signer.sign_note(text + "\n"), signer.vkey)


@pytest.mark.parametrize(
    "text",
    [
        "origin\n7\n",
        "\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "origin\n07\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "origin\n-7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "origin\n9223372036854775808\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "origin\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n",  # not canonical
        "origin\n7\nAAAA\n",
        "origin\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\nextension\n",
        "origin\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(VerificationError, match="checkpoint"):
        parse_checkpoint(text)


def test_extension_lines_are_passed_over() -> None:
    text = "origin\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nextension\n"
    assert parse_checkpoint(text).size == 7
