"""Pillow's warnings about strange bytes never reach the terminal, however the interpreter shows warnings."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.warned_files import warned_files, warns

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
