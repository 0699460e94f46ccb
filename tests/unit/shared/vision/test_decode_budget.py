"""The memory of decoding: what fits goes on, what does not waits, and what never fits is refused by naming the setting."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from shared.errors import InputError, UnavailableError
from shared.vision.decode_budget import DecodeBudget
from shared.vision.image_decoding import decode_image
from shared.vision.image_limits import ImageLimits
from tests.support.factories import encode, png

MIB = 2**20


def test_what_alone_exceeds_the_budget_is_refused_by_naming_the_setting() -> None:
    limits = ImageLimits(max_bytes=MIB, max_px=50_000_000, min_side_px=8, memory_bytes=64 * MIB)
    with pytest.raises(InputError, match="SLEEVE_DECODE_MEMORY_BYTES") as caught:
        decode_image(encode(Image.new("RGB", (3000, 3000))), limits)
    assert caught.value.code == "image_too_much_memory"
    assert decode_image(png(1), limits).pixels.size == (24, 24)


def test_those_who_wait_have_their_turns_in_order() -> None:
    budget, order = DecodeBudget(), list[int]()

    def decode(number: int, cost: int) -> None:
        with budget.reserve(cost, 10):
            order.append(number)

    with budget.reserve(6, 10):
        threads = []
        for number, cost in enumerate((8, 1, 10)):
            threads.append(threading.Thread(target=decode, args=(number, cost)))
            threads[-1].start()
            while len(budget._waiting) <= number:
                threading.Event().wait(0.01)
        assert order == []  # the small one does not overtake the large one
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2]


def test_a_wait_ends_and_leaves_nothing_behind() -> None:
    budget = DecodeBudget()
    with budget.reserve(6, 10), pytest.raises(UnavailableError, match="try again"), budget.reserve(6, 10, 0.05):
        pass
    with budget.reserve(10, 10, 0.05):
        pass


PEAK = """
import sys, threading
from pathlib import Path
from shared.vision.image_decoding import decoding
from shared.vision.fingerprints import build_fingerprint
from shared.vision.image_limits import ImageLimits
data = Path(sys.argv[1]).read_bytes()
limits = ImageLimits(2**20, 50_000_000, 8, memory_bytes=200 * 2**20)
def check():
    with decoding(data, limits) as image:
        build_fingerprint(image.pixels)
threads = [threading.Thread(target=check) for _ in range(10)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
# Of this program alone (proc(5)): ru_maxrss would be at least that of the process which started it.
print(int(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0]) * 1024)
"""


def test_ten_large_pictures_at_once_take_the_memory_of_one(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(encode(Image.new("RGB", (3000, 3000), (9, 99, 199))))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert int(done.stdout) < 350 * MIB  # one takes about 140, the interpreter 60; ten at once would take 800
