"""Measure pairs with image-similarity-measures; run by `bench_suite.py` under an interpreter that has that package.

Reads the path of an .npz with x and y, uint8 (N, H, W, C), on the command line, then one index a line; answers each with one
JSON line, seconds by metric.
"""

import json
import sys
import warnings
from time import perf_counter

import numpy as np

# Its dependency phasepack warns that a faster transform is missing; pyfftw has no say in what is compared here.
warnings.simplefilter("ignore")


def main() -> None:
    """Answer until the input ends."""
    from image_similarity_measures.quality_metrics import metric_functions  # in that interpreter alone

    pairs = np.load(sys.argv[1])
    for line in sys.stdin:
        x, y = pairs["x"][int(line)], pairs["y"][int(line)]
        seconds = {}
        for name, metric in metric_functions.items():
            start = perf_counter()
            metric(x, y)
            seconds[name] = perf_counter() - start
        sys.stdout.write(json.dumps(seconds) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
