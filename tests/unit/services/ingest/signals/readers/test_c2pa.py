"""The training and data mining assertion, in pictures that are really signed."""

import os

import pytest

from services.ingest.signals.readers.c2pa import SIGNING_PURPOSES, judge_manifest_store, read_c2pa
from services.ingest.signals.signal import Signal
from shared.canonical import canonical_json
from tests.support.factories import encode, picture, png
from tests.unit.services.ingest.signals.signing import FORMATS, chain, sign, training_mining


def read(data: bytes, anchors: str | None = None) -> Signal:
    signal = read_c2pa(data, anchors)
    assert signal is not None
    assert signal.kind == "c2pa-training-mining"
    assert canonical_json(signal.detail)
    return signal


@pytest.mark.parametrize("kind", FORMATS)
def test_every_container_carries_a_denial(kind: str) -> None:
    signal = read(sign(training_mining({"ai_generative_training": "notAllowed"}), kind=kind))
    assert signal.verdict == "deny"
    assert signal.detail["validation_state"] == "Valid"
    assert signal.detail["statements"][0]["entry"] == "cawg.ai_generative_training"


def test_an_unknown_signer_is_recorded_as_such() -> None:
    data = sign(training_mining({"ai_generative_training": "allowed"}))
    untrusted, trusted = read(data), read(data, chain().root_pem)
    assert untrusted.detail["signer_trusted"] is False
    assert "signingCredential.untrusted" in untrusted.detail["validation_codes"]
    assert untrusted.detail["signer"]["common_name"] == "Test signer"
    assert trusted.detail["signer_trusted"] is True
    assert trusted.detail["validation_state"] == "Trusted"
    assert untrusted.verdict == trusted.verdict == "allow"
    assert untrusted.raw_sha256 == trusted.raw_sha256


def test_another_authority_of_the_same_name_is_not_trusted() -> None:
    data = sign(training_mining({"ai_generative_training": "allowed"}))
    impostor = chain("Test", SIGNING_PURPOSES[-1]).root_pem
    assert impostor != chain().root_pem
    assert read(data, impostor).detail["signer_trusted"] is False
    assert read(data, impostor + chain().root_pem).detail["signer_trusted"] is True


@pytest.mark.parametrize("purpose", SIGNING_PURPOSES)
def test_a_certificate_for_any_accepted_purpose_signs(purpose: str) -> None:
    data = sign(training_mining({"ai_generative_training": "notAllowed"}), purpose=purpose)
    untrusted, trusted = read(data), read(data, chain("Test", purpose).root_pem)
    assert untrusted.verdict == trusted.verdict == "deny"
    assert untrusted.detail["validation_state"] == "Valid"
    assert trusted.detail["validation_state"] == "Trusted"


@pytest.mark.parametrize(
    ("entries", "verdict"),
    [
        ({"ai_generative_training": "allowed"}, "allow"),
        ({"ai_generative_training": "notAllowed"}, "deny"),
        ({"ai_generative_training": "allowed", "data_mining": "notAllowed"}, "deny"),
        ({"ai_generative_training": "allowed", "ai_training": "constrained"}, "deny"),
        ({"ai_generative_training": "allowed", "ai_inference": "notAllowed"}, "allow"),
        ({"ai_generative_training": {"use": "constrained"}}, "deny"),
        ({"ai_generative_training": {"use": "constrained", "constraint_info": "ask us"}}, "unknown"),
        ({"ai_generative_training": {"use": "constrained", "constraints_info": "ask us"}}, "unknown"),
        ({"ai_generative_training": "sometimes"}, "unknown"),
        ({"ai_training": "allowed", "data_mining": "allowed"}, "unknown"),
        ({"ai_inference": "notAllowed"}, "unknown"),
    ],
)
def test_each_use_is_judged_for_the_training_of_a_generator(entries: dict[str, object], verdict: str) -> None:
    assert read(sign(training_mining(entries))).verdict == verdict


def test_a_forked_process_reads_as_well() -> None:
    data = sign(training_mining({"ai_generative_training": "notAllowed"}))
    assert read(data).verdict == "deny"
    child = os.fork()
    if child == 0:
        signal = read_c2pa(data)
        os._exit(0 if signal is not None and signal.verdict == "deny" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_older_label_counts() -> None:
    assert read(sign(training_mining({"ai_generative_training": "notAllowed"}, prefix="c2pa"))).verdict == "deny"


def test_of_two_assertions_the_more_restrictive_counts() -> None:
    allowed, denied = ({"ai_generative_training": use} for use in ("allowed", "notAllowed"))
    assert read(sign(training_mining(denied, prefix="c2pa"), training_mining(allowed))).verdict == "deny"


def test_an_ingredient_denies_too_but_does_not_allow() -> None:
    denied, allowed = (sign(training_mining({"ai_generative_training": use})) for use in ("notAllowed", "allowed"))
    assert read(sign(training_mining({"ai_generative_training": "allowed"}), ingredient=denied)).verdict == "deny"
    assert read(sign(ingredient=allowed)).verdict == "unknown"


@pytest.mark.parametrize("use", ["allowed", "notAllowed"])
def test_a_picture_changed_after_signing_is_unknown(use: str) -> None:
    signed = bytearray(sign(training_mining({"ai_generative_training": use})))
    signed[signed.rindex(b"IDAT") + 8] ^= 1
    signal = read(bytes(signed))
    assert signal.verdict == "unknown"
    assert "Invalid" in signal.detail["error"]
    assert "assertion.dataHash.mismatch" in signal.detail["validation_codes"]


def test_a_damaged_manifest_store_is_unknown() -> None:
    signed = sign(training_mining({"ai_generative_training": "allowed"}))
    signal = read(signed.replace(b"jumb", b"jumc"))
    assert signal.verdict == "unknown"
    assert signal.detail["error"]


def test_a_manifest_elsewhere_is_unknown_and_not_fetched() -> None:
    signal = read(sign(training_mining({"ai_generative_training": "allowed"}), remote_url="http://127.0.0.1:9/m.c2pa"))
    assert signal.verdict == "unknown"
    assert signal.detail["remote"] == ["http://127.0.0.1:9/m.c2pa"]


def test_without_the_assertion_there_is_no_signal() -> None:
    assert read_c2pa(sign()) is None
    assert read_c2pa(png(1)) is None
    assert read_c2pa(encode(picture(1), "GIF")) is None
    assert read_c2pa(b"") is None


def test_a_store_that_does_not_validate_is_unknown_even_without_a_statement() -> None:
    finding = judge_manifest_store({"validation_state": "Invalid", "manifests": {}})
    assert finding is not None
    assert finding.verdict == "unknown"
