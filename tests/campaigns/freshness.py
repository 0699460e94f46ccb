"""How soon the gate sees what was registered: seconds from an acknowledged registration to its hit in `POST /v1/search`.

    for d in sqlite postgresql; do python -m tests.campaigns.freshness --database $d; done

Rules, in order:

1. A real server over a real socket; each picture is registered over REST and then asked for until it is the nearest item.
2. A wait is from the answer to the registration to the answer that has the item; so it holds the search itself.
3. Figures go to `docs/results/freshness.json`; a 99th percentile of five seconds or more is exit status 1.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from services.demo.gate_client import running_server
from shared.settings import Settings
from tests.campaigns.databases import KINDS, open_database
from tests.campaigns.results import save_figures
from tests.support.factories import png, registration

PROMISED_SECONDS = 5.0
GIVE_UP_SECONDS = 60.0
SIDE_PX = 64


def measure(client: httpx.Client, number: int) -> float:
    """Register one picture and wait until a search finds it; return the seconds in between."""
    data, key = png(300_000 + number, SIDE_PX), f"{number:04d}.png"
    record = registration(key, dataset="fresh").model_dump_json()
    files = {"image": (key, data, "image/png")}
    answer = client.post("/v1/items", files=files, data={"record": record}).raise_for_status()
    item, begun = answer.json()["item"]["id"], time.monotonic()
    while True:
        items = client.post("/v1/search", files=files, params={"limit": 1}).raise_for_status().json()["items"]
        waited = time.monotonic() - begun
        if items and items[0]["item"]["id"] == item:
            return waited
        if waited > GIVE_UP_SECONDS:
            sys.exit(f"item {item} was not found after {GIVE_UP_SECONDS} s")
        time.sleep(0.02)


def main() -> None:
    """Measure one database and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=KINDS, required=True)
    parser.add_argument("--registrations", type=int, default=50)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sleeve-freshness-"))
    with (
        open_database(options.database, folder) as url,
        running_server(Settings(home=folder / "home", database_url=url)) as client,
    ):
        measure(client, 0)  # the first search also compiles
        waited = [measure(client, number) for number in range(1, options.registrations + 1)]
    shutil.rmtree(folder)
    p50, p99 = (round(float(np.percentile(waited, q)), 3) for q in (50, 99))
    figures = {"registrations": len(waited), "seconds": {"p50": p50, "p99": p99, "max": round(max(waited), 3)}}
    save_figures("freshness", options.database, figures)
    print(figures)  # noqa: T201
    if p99 >= PROMISED_SECONDS:
        sys.exit(1)


if __name__ == "__main__":
    main()
