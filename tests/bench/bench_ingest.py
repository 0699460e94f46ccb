"""Speed of bulk registration; run as `python tests/bench/bench_ingest.py`.

Rules, in order:

1. The pictures are like game icons: 64 × 64 px, white shapes on black, grey PNG of under a kilobyte, each different, in one
   WebDataset tar with the columns of a real set. They are made here, so that every machine measures the same.
2. The whole way is timed: read, decode, hash, blob, record, log entry, signed checkpoint, status file; each batch durable.
3. Both databases are measured, PostgreSQL in a cluster of the benchmark's own where its binaries are installed. Beside each
   rate stands the processor time that an image took, of this process and its workers: other work on the machine slows the
   clock on the wall, and this one less. That of PostgreSQL's own processes is not in it.
4. The machine's own limits are taken in the same run, after it: decoding and hashing alone on one core, and files written
   with fsync alone, as many at once as the store does.
5. Prints one JSON line, in images a second. `again` is a second run over the same tar, where every row is known.
"""

import json
import os
import resource
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).parents[2]))

from services.ingest.sources.registry import open_source
from services.ingest.sources.run import add_source
from services.ingest.sources.source import SourceOptions
from shared.canonical import sha256_hex
from shared.files import SYNCS_AT_ONCE
from shared.ledger.verify import verify_log
from shared.settings import Settings
from shared.vision.image_decoding import decode_image
from shared.vision.image_limits import image_limits
from shared.workspace import Workspace, open_workspace
from tests.support.postgres import empty_postgres

IMAGES = int(os.environ.get("BENCH_IMAGES", "6000"))
SIDE_PX = 64
CREATORS = 35
SHAPES = 6


def draw_icon(number: int) -> bytes:
    """Draw one icon, as the bytes of a PNG."""
    rng = np.random.default_rng(number)
    icon = Image.new("L", (SIDE_PX, SIDE_PX))
    pen = ImageDraw.Draw(icon)
    for _ in range(SHAPES):
        corners = [tuple(map(int, corner)) for corner in rng.integers(0, SIDE_PX, size=(4, 2))]
        pen.polygon(corners, fill=int(rng.integers(0, 2)) * 255)
    icon.putpixel((number % SIDE_PX, number // SIDE_PX % SIDE_PX), number // SIDE_PX**2 + 1)
    out = BytesIO()
    icon.save(out, format="PNG")
    return out.getvalue()


def write_tar(path: Path, icons: list[bytes]) -> None:
    """Write icons with their columns as img2dataset does."""
    with tarfile.open(path, "w") as tar:
        for number, icon in enumerate(icons):
            columns = {
                "key": f"{number:09d}",
                "status": "success",
                "title": f"Icon {number}",
                "keywords": ["icon", str(number)],
                "creator": f"Creator {number % CREATORS}",
                "creator_url": f"https://example.org/creators/{number % CREATORS}",
                "licence": "CC-BY-3.0",
                "licence_url": "https://creativecommons.org/licenses/by/3.0/",
                "url": f"https://example.org/icons/{number}",
                "sha256": sha256_hex(icon),
            }
            for suffix, data in (("png", icon), ("json", json.dumps(columns).encode())):
                member = tarfile.TarInfo(f"{number:09d}.{suffix}")
                member.size = len(data)
                tar.addfile(member, BytesIO(data))


def processor_seconds() -> float:
    """Processor time of this process and of those it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def time_registration(workspace: Workspace, path: Path) -> tuple[float, float]:
    """Register the tar, and return the rate and the processor time of an image in microseconds."""
    options = SourceOptions("icons", "Ada", workspace.limits.max_bytes)
    used, start = processor_seconds(), perf_counter()
    result = add_source(workspace, open_source(path, options), options)
    seconds = perf_counter() - start
    if result.rows.created + result.rows.known != IMAGES:
        raise SystemExit(f"expected {IMAGES} items, got {result.rows}")
    return IMAGES / seconds, (processor_seconds() - used) / IMAGES * 1e6


def measure(folder: Path, database_url: str | None) -> dict[str, int]:
    """Register the tar twice in a fresh workspace."""
    workspace = open_workspace(Settings(home=folder / "home", database_url=database_url))
    registered, registered_us = time_registration(workspace, folder.parent / "icons.tar")
    again, again_us = time_registration(workspace, folder.parent / "icons.tar")
    size = verify_log(workspace.log.folder, workspace.log.vkey).size
    workspace.engine.dispose()
    rates = {
        "registered": registered,
        "again": again,
        "registered_processor_us": registered_us,
        "again_processor_us": again_us,
    }
    return {name: round(rate) for name, rate in rates.items()} | {"log_size": size}


def time_decoding(icons: list[bytes]) -> float:
    """Decode and hash, and nothing else."""
    limits = image_limits(Settings())
    start = perf_counter()
    for icon in icons:
        decode_image(icon, limits)
        sha256_hex(icon)
    return len(icons) / (perf_counter() - start)


def time_writing(folder: Path, icons: list[bytes]) -> float:
    """Write files with fsync, and nothing else."""
    folder.mkdir()

    def write(first: int) -> None:
        for number in range(first, len(icons), SYNCS_AT_ONCE):
            handle = os.open(folder / str(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            os.write(handle, icons[number])
            os.fsync(handle)
            os.close(handle)

    start = perf_counter()
    with ThreadPoolExecutor(SYNCS_AT_ONCE) as pool:
        list(pool.map(write, range(SYNCS_AT_ONCE)))
    return len(icons) / (perf_counter() - start)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as name:
        folder = Path(name)
        icons = [draw_icon(number) for number in range(IMAGES)]
        write_tar(folder / "icons.tar", icons)
        result = {"images": IMAGES, "side_px": SIDE_PX, "cores": os.cpu_count(), "sqlite": measure(folder / "sqlite", None)}
        with empty_postgres() as url:
            result["postgresql"] = measure(folder / "postgresql", url) if url else None
        result["decode_and_hash_one_core"] = round(time_decoding(icons))
        result["write_with_fsync"] = round(time_writing(folder / "written", icons))
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
