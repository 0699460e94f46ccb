"""Real pictures with random damage, many times: each is refused in words or decoded, quickly, in bounded memory.

    python -m tests.campaigns.mutations

Rules, in order:

1. The originals are PNG, JPEG and WebP files of every kind that encoders write, of at most 100 kB, with metadata.
2. A mutation is one to four of: bits flipped, bytes replaced, a length field changed, a piece cut out, doubled or taken from
   another file, parts exchanged, the end cut off. Of every second one the check sums are made right again, so that what is
   behind them is reached.
3. All of it comes from the seed; a defect is told with its number, which with the seed makes the file again.
4. The figures go to `docs/results/bad-input.json`; a defect, or a broken promise, is exit status 1.
"""

import argparse
import json
import random
import struct
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from tests.campaigns.bad_images import ORIENTATION, PNG_START, boundaries
from tests.campaigns.decoding import MAX_RSS_BYTES, MAX_SECONDS, Decoder
from tests.campaigns.results import save_figures
from tests.support.factories import encode, picture

MUTATIONS = 10_000
MAX_ORIGINAL_BYTES = 100_000
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)
LENGTHS = (0, 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" plus:DataMining="DMI-PROHIBITED"/></rdf:RDF></x:xmpmeta>'
)


@dataclass
class Tally:
    """What became of mutations."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0
    rss_bytes: int = 0
    defects: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """The figures to be kept."""
        return {
            "outcomes": dict(self.outcomes.most_common()),
            "slowest_seconds": round(self.slowest_seconds, 3),
            "rss_mib": self.rss_bytes // 2**20,
            "defects": self.defects,
        }


def originals() -> list[bytes]:
    """Pictures of every kind that encoders write."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x013B] = "Olga Owner"  # EXIF 2.32, tag Artist
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "words " * 50, zip=True)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    colour, large = picture(1, 48), picture(2, 300)
    grey, alpha = colour.convert("L"), colour.copy()
    alpha.putalpha(grey)
    more: dict[str, Any] = {"exif": exif, "icc_profile": bytes(range(256)) * 2}
    originals = [
        encode(colour, pnginfo=text, **more),
        encode(colour.convert("P"), transparency=3),
        encode(alpha),
        encode(grey.convert("1")),
        encode(grey.convert("I;16")),
        encode(colour, save_all=True, append_images=[picture(3, 48)]),
        encode(colour, "JPEG", xmp=XMP, **more),
        encode(large, "JPEG", progressive=True, subsampling=0),
        encode(colour.convert("CMYK"), "JPEG"),
        encode(grey, "JPEG", restart_marker_blocks=2),
        encode(colour, "MPO", save_all=True, append_images=[picture(4, 48)]),
        encode(colour, "WEBP", xmp=XMP, **more),
        encode(alpha, "WEBP", lossless=True),
        encode(colour, "WEBP", save_all=True, append_images=[picture(5, 48)]),
        encode(large, "WEBP"),
    ]
    if any(len(data) > MAX_ORIGINAL_BYTES for data in originals):
        raise RuntimeError(f"expected originals of at most {MAX_ORIGINAL_BYTES} bytes, got {list(map(len, originals))}")
    return originals


def flip_bits(data: bytearray, chance: random.Random, _others: list[bytes]) -> None:
    """Flip one to eight bits anywhere."""
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def flip_head(data: bytearray, chance: random.Random, _others: list[bytes]) -> None:
    """Flip a bit near the beginning, where sizes and kinds are."""
    data[chance.randrange(min(64, len(data)))] ^= 1 << chance.randrange(8)


def replace_bytes(data: bytearray, chance: random.Random, _others: list[bytes]) -> None:
    """Put extreme values in place of bytes."""
    at = chance.randrange(len(data))
    data[at : at + chance.randint(1, 4)] = bytes([chance.choice(INTERESTING)]) * chance.randint(1, 4)


def change_length(data: bytearray, chance: random.Random, _others: list[bytes]) -> None:
    """Change the bytes at a boundary of the structure, where lengths stand."""
    places = [at for at in boundaries(bytes(data)) if at + 4 <= len(data)]
    if places:
        at, order = chance.choice(places), chance.choice("<>")
        data[at : at + 4] = struct.pack(f"{order}I", chance.choice((*LENGTHS, chance.randrange(2**16))))


def cut_out(data: bytearray, chance: random.Random, _others: list[bytes]) -> None:
    """Leave a piece out."""
    at = chance.randrange(len(data))
    del data[at : at + chance.randint(1, 1 + len(data) // 4)]


def double(data: bytearray, chance: random.Random, _others: list[bytes]) -> None:
    """Repeat a piece, some of the time often."""
    at = chance.randrange(len(data))
    piece = bytes(data[at : at + chance.randint(1, 200)])
    data[at:at] = piece * chance.choice((1, 1, 2, 100))


def splice(data: bytearray, chance: random.Random, others: list[bytes]) -> None:
    """Put a piece of another file in."""
    other = chance.choice(others)
    start, at = chance.randrange(len(other)), chance.randrange(len(data))
    data[at : at + chance.choice((0, 50))] = other[start : start + chance.randint(1, 500)]


def cut_off(data: bytearray, chance: random.Random, _others: list[bytes]) -> None:
    """Let the file end early."""
    del data[chance.randint(1, len(data)) :]


def swap_parts(data: bytearray, chance: random.Random, _others: list[bytes]) -> None:
    """Exchange two parts of the structure."""
    places = sorted(at for at in boundaries(bytes(data)) if at <= len(data))
    if len(places) > 3:
        first, second, third = sorted(chance.sample(places, 3))
        data[first:third] = data[second:third] + data[first:second]


CHANGES: tuple[Callable[[bytearray, random.Random, list[bytes]], None], ...] = (
    flip_bits,
    flip_head,
    replace_bytes,
    change_length,
    cut_out,
    double,
    splice,
    cut_off,
    swap_parts,
)


def mutate(seed: int, number: int, files: list[bytes]) -> bytes:
    """Make one mutation."""
    chance = random.Random(f"{seed} {number}")
    data = bytearray(chance.choice(files))
    for _ in range(chance.randint(1, 4)):
        if data:
            chance.choice(CHANGES)(data, chance, files)
    mutated = bytes(data[:MAX_ORIGINAL_BYTES])
    return with_right_sums(mutated) if chance.random() < 0.5 else mutated


def with_right_sums(data: bytes) -> bytes:
    """Make the check sums of a PNG's chunks right, so that a decoder reads what is in them."""
    if not data.startswith(PNG_START):
        return data
    fixed, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        if end + 4 > len(data):
            break
        fixed[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(fixed)


def run_mutations(folder: Path, count: int, seed: int) -> Tally:
    """Decode so many mutations in a process of their own, and return what became of them."""
    files, tally = originals(), Tally()
    with Decoder(folder) as decoder:
        for number in range(count):
            outcome = decoder.decode(mutate(seed, number, files))
            tally.outcomes["defect" if outcome.is_defect else outcome.outcome] += 1
            tally.slowest_seconds = max(tally.slowest_seconds, outcome.seconds)
            tally.rss_bytes = max(tally.rss_bytes, outcome.rss_bytes)
            if outcome.is_defect:
                tally.defects.append(f"seed {seed}, number {number}: {outcome.outcome}")
    return tally


def main() -> None:
    """Run the campaign and keep its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=MUTATIONS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run_mutations(Path(folder), options.count, options.seed)
    figures = {"seed": options.seed, "mutations": options.count, **tally.figures()}
    save_figures("bad-input", "mutations", figures)
    print(json.dumps(figures))  # noqa: T201
    if tally.defects or tally.slowest_seconds >= MAX_SECONDS or tally.rss_bytes >= MAX_RSS_BYTES:
        sys.exit(1)


if __name__ == "__main__":
    main()
