"""Damaged pictures, by the thousand: nothing raises, nothing is slow, a denial never turns into an allowance."""

import random
import time

import pytest
from PIL import Image

from services.ingest.signals.embedded_metadata import suggest_owners
from services.ingest.signals.read import read_image_signals
from shared.canonical import canonical_json
from tests.support.factories import encode, picture
from tests.unit.services.ingest.signals.signing import FORMATS, sign, training_mining
from tests.unit.services.ingest.signals.xmp_pictures import data_mining, with_xmp

MUTATIONS = 1000
# The promise on bad images: each is done with in less than this.
LIMIT_SECONDS = 2.0
EXTREME = (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff", b"\x00\x00\xff\xff")


def mutate(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(changed))
        match rng.randrange(5):
            case 0:
                changed[at] = rng.randrange(256)
            case 1:
                changed[at : at + 4] = rng.choice(EXTREME)
            case 2:
                del changed[at : at + rng.randrange(1, 60)]
            case 3:
                start = rng.randrange(len(changed))
                changed[at:at] = changed[start : start + rng.randrange(1, 60)]
            case _:
                del changed[at + 1 :]
        if len(changed) < 4:
            return bytes(changed)
    return bytes(changed)


@pytest.mark.parametrize("kind", FORMATS)
def test_mutations(kind: str) -> None:
    exif = Image.Exif()
    exif[0x013B], exif[0x8298] = "Ada", "(c) Ada"
    plain = encode(picture(2), kind, exif=exif)
    carrier = with_xmp(data_mining("DMI-PROHIBITED"), kind)
    signed = sign(training_mining({"ai_generative_training": "notAllowed"}), kind=kind, data=carrier)
    rng = random.Random(20260131)
    slowest = 0.0
    for number in range(MUTATIONS):
        data = mutate((signed, signed, carrier, plain)[number % 4], rng)
        started = time.thread_time()
        signals = read_image_signals(data)
        suggest_owners(data)
        slowest = max(slowest, time.thread_time() - started)
        assert all(signal.verdict != "allow" for signal in signals), number
        assert canonical_json([signal.detail for signal in signals])
    assert slowest < LIMIT_SECONDS


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x00tEXt\x00\x00\x00\x00" * 500_000,
        b"\xff\xd8" + b"\xff\xe1\x00\x02" * 500_000,
        b"\xff\xd8" + b"\xff" * 5_000_000,
        b"RIFF\xff\xff\xff\xffWEBP" + b"EXIF\x00\x00\x00\x00" * 500_000,
        b"\xff\xd8" + b"\xff\xe1\x00\x23http://ns.adobe.com/xap/1.0/\x00<a/>" * 100_000,
        b"\xff\xd8" + b"\xff\xed\x00\x1a" + b"Photoshop 3.0\x008BIM\x04\x04" * 100_000,
    ],
)
def test_hostile_containers_take_little_time(data: bytes) -> None:
    started = time.thread_time()
    read_image_signals(data)
    suggest_owners(data)
    assert time.thread_time() - started < LIMIT_SECONDS


def test_the_pictures_that_are_mutated_say_what_they_must() -> None:
    carrier = encode(picture(1), "JPEG", xmp=data_mining("DMI-PROHIBITED"))
    signed = sign(training_mining({"ai_generative_training": "notAllowed"}), kind="JPEG", data=carrier)
    assert [signal.verdict for signal in read_image_signals(signed)] == ["deny", "deny"]
