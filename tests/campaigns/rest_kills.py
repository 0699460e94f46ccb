"""`sleeve serve` killed while several clients register, and started again at once.

Rules, in order:

1. Each client registers one picture after the other, each under its own Idempotency-Key. Acknowledged is what was answered
   201 or 200; any other answer ends the campaign.
2. What got no answer is sent again after the restart, with the same key: it may be there already, and must not be there twice.
3. A restart is over when `/healthz` answers.
4. The store is checked after every second kill; after the others the restarted server alone has to repair what was left.
"""

import itertools
import queue
import random
import subprocess
import threading
import time
from pathlib import Path

import httpx

from tests.campaigns.databases import wait_until_left
from tests.campaigns.processes import START_SECONDS, kill, output_of, start
from tests.support.factories import png, registration
from tests.support.postgres import free_port
from tests.support.store_checks import Store, Tally

CLIENTS = 4
SIDE_PX = 16
# A kill comes a moment after so many answers, so that it means the same on a slow machine; half of a registration's time
# or several of them fit into the moment.
MOST_ANSWERS = 40
MOMENT_SECONDS = 0.1
ANSWER_SECONDS = 60
DATASET = "works"


class Clients:
    """Clients that register until their server is gone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self.unanswered: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.sent = 0
        self.answered = 0
        self.problems: list[str] = []

    def run(self, url: str, chance: random.Random, process: subprocess.Popen[bytes], *, group: bool) -> int:
        """Let the clients work for a while, kill the server under them, and return the orphans that it left."""
        enough, deadline = self.answered + chance.randint(0, MOST_ANSWERS), time.monotonic() + ANSWER_SECONDS
        threads = [threading.Thread(target=self._work, args=(url,)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        while self.answered < enough and not self.problems and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, MOMENT_SECONDS))
        orphans = kill(process, group=group)
        for thread in threads:
            thread.join()
        return orphans

    def _work(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=ANSWER_SECONDS) as client:
            while self.send(client, self._next()):
                pass

    def _next(self) -> int:
        try:
            return self.unanswered.get_nowait()
        except queue.Empty:
            with self._lock:
                number = next(self._numbers)
                self.sent = number + 1
                return number

    def send(self, client: httpx.Client, number: int) -> bool:
        """Register one picture; say whether it was acknowledged."""
        key = f"{number:06d}.png"
        record = registration(key, dataset=DATASET).model_dump_json()
        try:
            answer = client.post(
                "/v1/items",
                files={"image": (key, png(number, SIDE_PX), "image/png")},
                data={"record": record},
                headers={"Idempotency-Key": f"key-{number}"},
            )
        except httpx.TransportError:
            self.unanswered.put(number)
            return False
        if answer.status_code not in {200, 201}:
            self.problems.append(f"{answer.status_code}: {answer.text[:300]}")
            self.unanswered.put(number)
            return False
        body = answer.json()
        with self._lock:
            self.answered += 1
            self._store.acknowledged[DATASET, key] = body["item"]["id"]
            self._store.receipts[DATASET, key] = body["receipt"]
        return True


def run_rest_kills(folder: Path, database_url: str, kills: int, seed: int, tally: Tally | None = None) -> Tally:
    """Kill a server this many times, start it once more for what got no answer, and return what was found."""
    chance, tally, home = random.Random(seed), tally or Tally(), folder / "home"
    store = Store(home, database_url)
    clients = Clients(store)
    while tally.kills < kills:
        process, url = _start(home, database_url, tally)
        parent_only = tally.kills % 2 == 1
        tally.orphans += clients.run(url, chance, process, group=not parent_only)
        tally.kills += 1
        tally.kills_of_parent_only += parent_only
        wait_until_left(database_url)
        if clients.problems:
            raise RuntimeError(f"a registration was refused: {clients.problems[0]}; {output_of(home)}")
        if tally.kills % 4 in {1, 2}:
            store.check(tally)
    _answer_the_rest(clients, home, database_url, tally)
    store.check(tally, last=True)
    if tally.items != clients.sent:
        raise RuntimeError(f"expected {clients.sent} items, one for each picture that was sent, got {tally.items}")
    return tally


def _answer_the_rest(clients: Clients, home: Path, database_url: str, tally: Tally) -> None:
    process, url = _start(home, database_url, tally)
    with httpx.Client(base_url=url, timeout=ANSWER_SECONDS) as client:
        while not clients.unanswered.empty():
            if not clients.send(client, clients.unanswered.get()):
                raise RuntimeError(f"what had got no answer got none again: {clients.problems}; {output_of(home)}")
    tally.orphans += kill(process, group=True)
    wait_until_left(database_url)


def _start(home: Path, database_url: str, tally: Tally) -> tuple[subprocess.Popen[bytes], str]:
    port = free_port()
    begun = time.monotonic()
    process = start(["serve", "--port", str(port)], home, database_url)
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            httpx.get(f"{url}/healthz", timeout=ANSWER_SECONDS).raise_for_status()
            break
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() - begun > START_SECONDS:
                raise RuntimeError(f"the server did not come up: {output_of(home)}") from None
            time.sleep(0.02)
    tally.restart_seconds.append(time.monotonic() - begun)
    return process, url
