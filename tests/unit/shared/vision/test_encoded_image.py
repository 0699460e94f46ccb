"""A JPEG whose scans were cut short is refused at every size; Pillow's warnings never reach the terminal."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import InputError
from shared.vision.encoded_image import MAX_SCANS
from shared.vision.file_structure.jpeg_scans import read_scans
from shared.vision.image_decoding import decode_image
from shared.vision.image_limits import ImageLimits
from tests.support.factories import encode, picture
from tests.support.warned_files import warned_files, warns

LIMITS = ImageLimits(max_bytes=20_000_000, max_px=50_000_000, min_side_px=8)
# Beyond this many pixels, a cut was once not looked for.
LARGE_SIDE_PX = 4_100
ROOT = Path(__file__).parents[4]
SCRIPT = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from services.ingest.signals.read import read_image
from shared.vision.image_decoding import decode_image, decode_variants
from shared.vision.image_limits import ImageLimits

limits = ImageLimits(max_bytes=1_000_000, max_px=1_000_000, min_side_px=8)

def read(path):
    data = path.read_bytes()
    read_image(data)
    return decode_image(data, limits).pixels.size, len(list(decode_variants(data, limits)))

paths = sorted(Path(sys.argv[1]).iterdir())
with ThreadPoolExecutor(8) as pool:
    print(len(list(pool.map(read, paths * 20))))
"""


def test_no_warning_reaches_the_terminal_from_any_thread(tmp_path: Path) -> None:
    files = warned_files()
    for name, data in files.items():
        assert warns(data), name
        (tmp_path / name).write_bytes(data)
    ran = subprocess.run(
        [sys.executable, "-W", "always::UserWarning", "-c", SCRIPT, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert (ran.stdout.strip(), ran.stderr) == (str(20 * len(files)), "")


def noisy(seed: int, side_px: int) -> Image.Image:
    """A picture with grain, so that its scans have something to say of every block."""
    grain = np.random.default_rng(seed).integers(-20, 21, (side_px, side_px, 1), dtype=np.int16)
    return Image.fromarray(np.clip(np.asarray(picture(seed, side_px)) + grain, 0, 255).astype(np.uint8))


def pixels(data: bytes) -> bytes:
    """What a decoder makes of a file, complete or not."""
    return Image.open(io.BytesIO(data)).convert("RGB").tobytes()


def cuts(data: bytes, random: np.random.Generator) -> Iterator[bytes]:
    """The file with the end of each of its scans taken away, a few bytes or many."""
    for end in read_scans(data, MAX_SCANS).ends:
        header = data.rfind(b"\xff\xda", 0, end) + 2
        begin = header + int.from_bytes(data[header : header + 2])
        for length in random.integers(1, max(2, end - begin), 4).tolist():
            yield data[: end - length] + data[end:]


def test_whichever_scan_is_cut_short_the_file_is_refused_where_a_pixel_changed() -> None:
    random, seen = np.random.default_rng(1), 0
    for quality, subsampling in ((60, 2), (90, 2), (95, 0)):
        image = noisy(quality, 128)
        data = encode(image, "JPEG", progressive=True, quality=quality, subsampling=subsampling)
        assert decode_image(data, LIMITS).pixels.tobytes() == pixels(data)
        for cut in cuts(data, random):
            if pixels(cut) != pixels(data):
                seen += 1
                with pytest.raises(InputError, match="a scan ends before its last block"):
                    decode_image(cut, LIMITS)
    assert seen > 100


@pytest.mark.timeout(120)
def test_a_large_progressive_picture_cut_in_its_last_scan_is_refused() -> None:
    data = encode(noisy(1, LARGE_SIDE_PX), "JPEG", progressive=True, quality=60)
    assert decode_image(data, LIMITS).width_px == LARGE_SIDE_PX
    end = read_scans(data, MAX_SCANS).ends[-1]
    for length in (20, 200_000):
        with pytest.raises(InputError, match="a scan ends before its last block") as caught:
            decode_image(data[: end - length] + data[end:], LIMITS)
        assert caught.value.code == "image_damaged"
