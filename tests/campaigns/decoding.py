"""Untrusted bytes through the very function that the services use, with what became of them, in what time and memory.

Rules, in order:

1. `InputError` is the only way to refuse; any other exception is a defect and is reported as one.
2. What is accepted has pixels of the stated size, three bytes each, upright.
3. Time is this process's own CPU time, so that a busy machine does not count.
4. A `Decoder` is a process that does nothing else, so that its memory is that of decoding, and a crash is seen.
"""

import json
import subprocess
import sys
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time
from types import TracebackType
from typing import Self

import numpy as np

from services.ingest.registration.preparation import check_item
from shared.canonical import sha256_hex
from shared.errors import InputError
from shared.settings import Settings
from shared.vision.image_decoding import decode_image
from shared.vision.image_limits import image_limits
from tests.support.factories import registration
from tests.support.paths import ROOT

LIMITS = image_limits(Settings())
# The promise of any image, however bad.
MAX_SECONDS = 2.0
MAX_RSS_BYTES = 2**30

_RECORD = registration()


@dataclass(frozen=True)
class Outcome:
    """What became of a file: `accepted`, an error's code, or `defect: …`; of what is accepted, its pixels' digest."""

    outcome: str
    seconds: float
    pixels_sha256: str | None = None
    rss_bytes: int = 0

    @property
    def is_defect(self) -> bool:
        """Say whether it ended otherwise than a registration may."""
        return self.outcome.startswith("defect")


def decode(data: bytes) -> Outcome:
    """Check an item of these bytes; where it is accepted, look at its pixels as well."""
    begun = process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            prepared = check_item(_RECORD, data, LIMITS)
    except InputError as error:
        return Outcome(error.code, process_time() - begun)
    except Exception as error:
        return Outcome(f"defect: {type(error).__name__}: {error}", process_time() - begun)
    seconds = process_time() - begun
    return Outcome(*_look(data, prepared.blob.width_px, prepared.blob.height_px, seconds))


def _look(data: bytes, width_px: int, height_px: int, seconds: float) -> tuple[str, float, str | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = np.asarray(decode_image(data, LIMITS).pixels)
    # A quarter turn swaps the sides.
    if pixels.shape not in {(height_px, width_px, 3), (width_px, height_px, 3)} or pixels.dtype != np.uint8:
        return f"defect: expected {width_px}×{height_px}×3 bytes, got {pixels.shape} of {pixels.dtype}", seconds, None
    return "accepted", seconds, sha256_hex(pixels.tobytes())


def peak_rss_bytes() -> int:
    """The most memory that this process ever held; `ru_maxrss` would count what its parent held when it was begun."""
    [peak] = [line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if line.startswith("VmHWM")]
    return int(peak.split()[1]) * 1024


class Decoder:
    """A process that decodes what it is handed; used as a context."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "image"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.campaigns.decoding"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate()

    def decode(self, data: bytes) -> Outcome:
        """Decode in the process; `rss_bytes` is the most memory that it held until now."""
        self._file.write_bytes(data)
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the decoder has no pipes")
        self._process.stdin.write(f"{self._file}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            return Outcome(f"defect: the process ended with {self._process.wait()}", 0)
        return Outcome(**json.loads(line))


def main() -> None:
    """Decode the files named on standard input, one line of JSON for each."""
    for line in sys.stdin:
        outcome = decode(Path(line.rstrip("\n")).read_bytes())
        print(json.dumps({**asdict(outcome), "rss_bytes": peak_rss_bytes()}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
