"""The five users' paths, each walked from nothing on files that other people's tools made.

    python -m tests.campaigns.user_paths [--tools FOLDER]

Rules, in order:

1. The lines of `docs/use` are run as they stand (`user_walks`); a page with a line that was not run is a fault.
2. The inputs are made at once by img2dataset, Hugging Face's datasets, mlcroissant and diffusers (`user_inputs`). A path whose
   tool cannot be had says so.
3. Nothing that was not read is clear, and nothing unread ends in exit status 0: both are compared with what was put there.
4. Figures go to `docs/results/user-paths.json`; a step that comes out otherwise is exit status 1.
"""

import argparse
import csv
import hashlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from PIL import Image

from tests.campaigns.results import save_figures
from tests.campaigns.user_inputs import (
    PHOTOS,
    TOOLS,
    ToolMissingError,
    Works,
    make_files,
    make_models,
    served_works,
    write_odd_files,
)
from tests.campaigns.user_walks import StepError, Walk
from tests.support.web_server import Page

START_SECONDS = 60


@dataclass(frozen=True)
class Size:
    """How much is walked.

    Attributes:
        photos: photographs of the user.
        slice_size: pictures of the training set; the rest is the control.
        updates: of the training; too few for a model that copies, which no step asks for.
        generations: of an audit.
    """

    photos: int
    slice_size: int
    updates: int
    generations: int


FULL = Size(photos=72, slice_size=24, updates=30, generations=8)
# Photographs of the part that a test walks.
SHORT = 24


def user_settings(works: Works) -> dict[str, str]:
    """Settings of the users: their pictures' addresses are on the loopback."""
    return {"SLEEVE_FETCH_ALLOWED_NETWORKS": "127.0.0.0/8", "SLEEVE_FETCH_ALLOWED_PORTS": f"80,443,{works.site.port}"}


def add(walk: Walk, path: str, records: dict[str, int], *, refused: int = 0, licence: str = "") -> None:
    """Register a source that no line names, and compare its records with what was put there.

    Args:
        walk: whose step it is.
        path: of the source, below the user's folder.
        records: how many items there are then, with an owner, and with a title.
        refused: how many rows are refused.
        licence: of pictures that state none.
    """
    name = path.replace("/", "-")
    options = ["--licence", licence] if licence else []
    says = f"{records['items']} registered, 0 known before, {refused} refused"
    walk.step(f"sleeve ingest add {path} --acquirer 'Data team' --dataset {name}", *options, exits=int(refused > 0), says=says)
    items = walk.answer(f"sleeve ingest items list --dataset {name} --limit 500 --json")["items"]
    found = {
        "items": len(items),
        "owners": sum(bool(item["owners"]) for item in items),
        "titled": sum(bool(item["title"]) for item in items),
    }
    walk.note(f"records of {path}", holds=found == records, **found)


def walk_data_engineer(works: Works, environments: Path | None, tools: dict[str, str]) -> Walk:
    """Register, capture, verify, search; then every layout of every tool."""
    walk = Walk("data-engineer", works.folder, user_settings(works))
    count = len(works.rows)
    owned = sum(bool(work["creator"]) for work in works.rows)
    walk.line("sleeve ingest add ./my-images", says=f"my-images: {count} registered, 0 known before, 0 refused")
    walk.line("sleeve ingest status", says="my-images")
    [status] = walk.answer("sleeve ingest status --json")["datasets"]
    walk.note("coverage of my-images", holds=(status["items"], status["owner"]) == (count, owned), **status)
    walk.line("sleeve ingest archive capture", says=f"{count} links: {count} verified, 0 drifted, 0 missing, 0 unchecked")
    first, second = (f"/{work['file']}" for work in works.rows[:2])
    works.site.pages[first], works.site.pages[second] = Page(b"something else"), Page(b"gone", 410)
    says = f"{count} links: {count - 2} verified, 1 drifted, 1 missing, 0 unchecked"
    walk.line("sleeve ingest archive verify", "--older-than-days", "0", says=says)
    Image.open(works.photos / works.rows[2]["file"]).save(works.folder / "picture.png")
    walk.line("sleeve ingest fingerprint")
    walk.line("sleeve ingest search picture.png", says=works.rows[2]["title"])
    # What is not read is named, and is no success.
    (works.folder / "odd").mkdir()
    (works.folder / "odd" / "cut.jpg").write_bytes((works.photos / works.rows[3]["file"]).read_bytes()[:4000])
    (works.folder / "odd" / "whole.jpg").write_bytes((works.photos / works.rows[3]["file"]).read_bytes())
    (works.folder / "odd" / "nowhere.jpg").symlink_to("not-there.jpg")
    add(walk, "odd", {"items": 1, "owners": 0, "titled": 0}, refused=2, licence="CC0-1.0")
    if environments is not None:
        add_layouts(walk, works, environments, tools)
    return walk


def add_layouts(walk: Walk, works: Works, environments: Path, tools: dict[str, str]) -> None:
    """Register what each tool made."""
    whole = {"items": len(works.rows), "owners": sum(bool(work["creator"]) for work in works.rows), "titled": len(works.rows)}
    # img2dataset fetches from the same server: all of it is there again.
    for work in works.rows[:2]:
        works.site.pages[f"/{work['file']}"] = Page((works.photos / work["file"]).read_bytes())
    for tool in TOOLS:
        try:
            tools[tool] = make_files(tool, works, works.folder / tool, environments)
        except ToolMissingError as error:
            tools[tool] = f"cannot be had: {error}"
    made = {tool for tool in TOOLS if (works.folder / tool).is_dir() and "cannot" not in tools[tool]}
    if "img2dataset" in made:
        add(walk, "img2dataset/webdataset", whole)
        add(walk, "img2dataset/files", whole)
        # The table has a row for each of the two that were not downloaded.
        add(walk, "img2dataset/parquet", whole, refused=2)
    if "datasets" in made:
        for layout in ("saved", "saved-splits", "repository", "img.parquet", "images.parquet"):
            add(walk, f"datasets/{layout}", whole)
        add(walk, "datasets/imagefolder-splits", whole)
        add(walk, "datasets/imagefolder-parquet", whole)
        add(walk, "datasets/imagefolder-classes", whole | {"owners": 0, "titled": 0}, licence="CC0-1.0")
        add(walk, "datasets/paths-only.parquet", dict.fromkeys(whole, 0), refused=len(works.rows))
    if "mlcroissant" in made:
        add(walk, "mlcroissant/croissant.json", whole)


def walk_ml_engineer(works: Works, size: Size, tools: dict[str, str]) -> Walk:
    """Seal, train, import every layout of diffusers, audit, study."""
    walk = Walk("ml-engineer", works.folder, user_settings(works))
    tools["diffusers"] = make_models(works.folder / "models")
    (works.folder / "their-model").symlink_to("models/ddpm")
    walk.line("sleeve audit seal slice-1", n500=str(size.slice_size))
    walk.line("sleeve audit train model-1", n4000=str(size.updates))
    walk.line("sleeve audit import ./their-model model-2")
    for layout, more in (
        ("ddim", ()),
        ("weights-at-root", ()),
        ("network-alone", ("--scheduler", "models/ddpm/scheduler/scheduler_config.json")),
        ("training-run/checkpoint-10", ()),
        ("half-precision", ()),
    ):
        walk.step(f"sleeve audit import models/{layout} {layout.replace('/', '-')} --manifest slice-1", *more)
    walk.step("sleeve audit import models/network-alone no --manifest slice-1", exits=1, says="--scheduler")
    walk.step("sleeve audit import models/latent no --manifest slice-1", exits=1, says="vqvae")
    walk.step("sleeve audit import models/pickled no --manifest slice-1", exits=1, says=".bin")
    walk.line("sleeve audit run model-1", n1000=str(size.generations))
    walk.step("sleeve audit run model-2 --control held-out-1 --steps 4", "--count", str(size.generations))
    for audit in walk.step("sleeve audit list").splitlines()[:2]:
        content = walk.answer(f"sleeve audit show {audit.split()[0]}")
        trials = content["copies"]["trials"]
        walk.note(
            "generations of an audit", holds=trials == size.generations, trials=trials, origin=content["model"]["origin"]
        )
    walk.line(
        "sleeve audit extract model-1", "--count", str(size.generations), "--clique-size", "2", says="no picture is shared"
    )
    walk.step("sleeve ingest add ./my-images --acquirer 'Data team' --dataset works")
    walk.line("sleeve audit study cpu", cpu="smoke", exits=0)
    return walk


def walk_release_engineer(works: Works, size: Size) -> Walk:
    """Check a copy, a folder of the model's generations among all sorts of files, and the same over REST."""
    walk = Walk("release-engineer", works.folder, user_settings(works))
    files = {hashlib.sha256(path.read_bytes()).hexdigest(): path.read_bytes() for path in works.photos.iterdir()}
    copy, other = (
        files[walk.answer(f"sleeve ingest manifests items {name} --json")["items"][0]["blob"]]
        for name in ("slice-1", "held-out-1")
    )
    (works.folder / "picture.png").write_bytes(copy)
    (works.folder / "other.png").write_bytes(other)
    walk.line("sleeve gate check picture.png", "--receipt", "check.tlog-proof", exits=3, says="flag")
    walk.step("sleeve gate check other.png --model model-1", says="clear")
    walk.step("sleeve gate check other.png --model ddim", exits=4, says="not_calibrated")
    generations = works.folder / "generations"
    walk.step("sleeve audit sample model-1 --png ./generations --count", str(size.generations))
    expected = write_odd_files(generations, copy)
    walk.line("sleeve gate check ./generations", exits=3)
    compare_results(walk, works.folder / "results.jsonl", expected)
    # The same without the copies: what could not be judged is no success either.
    for name in [name for name, decision in expected.items() if decision == "flag"]:
        (generations / name).unlink()
        del expected[name]
    walk.step("sleeve gate check ./generations --model model-1 --out unread.jsonl", exits=4)
    compare_results(walk, works.folder / "unread.jsonl", expected)
    check = walk.answer("sleeve gate check picture.png --model model-1 --json", exits=3)
    walk.line("sleeve gate evidence", CHECK_ID=check["id"])
    with Image.open(works.folder / "evidence.png") as drawn:
        walk.note("evidence is a picture", holds=min(drawn.size) > 100, width=drawn.width, height=drawn.height)
    ask_over_rest(walk, copy, other)
    return walk


def compare_results(walk: Walk, results: Path, expected: dict[str, str]) -> None:
    """Compare the lines of a results file with what lies in the folder: one a file, and nothing unread is clear."""
    decisions = {line["file"]: line["decision"] for line in map(json.loads, results.read_text(encoding="utf-8").splitlines())}
    names = {str(path.relative_to(walk.folder / "generations")) for path in (walk.folder / "generations").rglob("*")}
    found = {name: decisions.get(name) for name in expected}
    holds = decisions.keys() == names and found == expected
    walk.note(
        f"lines of {results.name}", holds=holds, files=len(names), decisions=dict(Counter(decisions.values())), odd=found
    )


def ask_over_rest(walk: Walk, copy: bytes, other: bytes) -> None:
    """Start the server as the README says, and ask the same of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("sleeve")), "serve", "--port", str(port)]
    with (walk.folder / "serve.output").open("wb") as output:
        server = subprocess.Popen(command, cwd=walk.folder, env=walk.environment, stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            wait_for(client, server)
            answers = {}
            for name, data in {"copy": copy, "other": other, "cut off": copy[: len(copy) // 2], "text": b"no picture"}.items():
                answer = client.post("/v1/checks", files={"image": ("picture", data)}, data={"model": "model-1"})
                body = answer.json()
                answers[name] = [answer.status_code, body.get("decision") or body.get("code")]
                if name == "copy":
                    (walk.folder / "rest.tlog-proof").write_text(body["receipt"], encoding="utf-8")
            expected = {"copy": [201, "flag"], "other": [201, "clear"]}
            refused = {name: answers[name][0] for name in ("cut off", "text")}
            holds = expected.items() <= answers.items() and set(refused.values()) <= {400, 415, 422}
            walk.note("POST /v1/checks", holds=holds, answers=answers)
            completeness = client.get("/v1/completeness").json()
            walk.note("GET /v1/completeness", holds=completeness["complete"], answer=completeness)
    finally:
        server.send_signal(signal.SIGTERM)
        stopped = server.wait(START_SECONDS)
    # uvicorn shuts down in order, and then lets the signal have its usual effect.
    walk.note("the server stopped", holds=stopped in {0, -signal.SIGTERM}, exit_status=stopped)


def wait_for(client: httpx.Client, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        if server.poll() is not None or time.monotonic() > deadline:
            raise StepError(f"the server did not come up: exit status {server.poll()}")
        time.sleep(0.2)


def walk_compliance_officer(works: Works) -> Walk:
    """Confirm every flag, follow one to payment, one to a waiver and one to its overturning."""
    walk = Walk("compliance-officer", works.folder, user_settings(works))
    walk.line("sleeve gate review list", says="flag")
    flags = [flag["id"] for flag in walk.answer("sleeve gate flags list --state raised --json")["items"]]
    walk.note("flags that wait", holds=len(flags) >= 3, flags=len(flags))
    paid, waived, overturned = flags[:3]
    walk.step(f"sleeve gate review overturn {overturned} --reason 'licensed elsewhere'")
    for flag in (paid, waived):
        walk.step(f"sleeve gate review confirm {flag} --name 'A reviewer'")
        walk.step(f"sleeve gate flags step {flag} notify --role compliance")
    walk.line("sleeve gate flags list --state notified", says=paid)
    walk.step(f"sleeve gate flags step {paid} accept --role owner --name 'The owner'")
    # The default policy has no tariff: an amount has to be assessed first.
    walk.step(f"sleeve gate flags step {paid} pay --role finance", exits=1, says="amount_unknown")
    assessed = "--currency EUR --amount-minor 25000 --reason agreed"
    walk.step(f"sleeve gate flags step {paid} assess --role finance {assessed}")
    walk.step(f"sleeve gate flags step {paid} pay --role finance")
    walk.step(f"sleeve gate flags step {waived} waive --role compliance --reason licensed")
    ends = {
        name: walk.answer(f"sleeve gate flags show {flag} --json")["state"]
        for name, flag in zip(("paid", "waived", "overturned"), (paid, waived, overturned), strict=True)
    }
    walk.note("ends of the flags", holds=all(name == state for name, state in ends.items()), ends=ends)
    walk.line("sleeve gate payables")
    with (works.folder / "payables.csv").open(newline="", encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["flag_id"] == paid]
    owed = sum(int(row["amount_minor"]) for row in rows)
    walk.note("payables of the paid flag", holds=owed == 25000, rows=len(rows), amount_minor=owed)
    walk.line("sleeve gate completeness")
    return walk


def walk_court_expert(works: Works) -> Walk:
    """Verify from copies alone, in a folder without the owner's state; then the same with one byte changed."""
    owner = Walk("data-engineer", works.folder, user_settings(works))
    owner.step("sleeve ingest manifests prove slice-1 --image picture.png --output proof.json")
    owner.step("sleeve ingest manifests prove slice-1 --image other.png --output absence.json")
    court = works.folder / "court"
    court.mkdir()
    for name in ("check.tlog-proof", "rest.tlog-proof", "proof.json", "absence.json", "picture.png", "other.png"):
        shutil.copy(works.folder / name, court)
    shutil.copy(works.folder / "sleeve-data" / "log.vkey", court)
    shutil.copytree(works.folder / "sleeve-data" / "log", court / "sleeve-data" / "log")
    shutil.copy(court / "sleeve-data" / "log" / "checkpoint", court / "OLD")
    owner.step("sleeve ingest add my-images --acquirer 'Data team' --dataset later")
    shutil.rmtree(court / "sleeve-data" / "log")
    shutil.copytree(works.folder / "sleeve-data" / "log", court / "sleeve-data" / "log")
    shutil.copy(court / "sleeve-data" / "log" / "checkpoint", court / "NEW")
    walk = Walk("court-expert", court)
    walk.steps += owner.steps
    walk.line("sleeve verify receipt", says="valid")
    walk.step("sleeve verify receipt rest.tlog-proof --key log.vkey", says="valid")
    walk.line("sleeve verify membership", says="is in manifest slice-1")
    walk.step("sleeve verify membership absence.json --key log.vkey --image other.png", says="is not in manifest slice-1")
    walk.step("sleeve verify membership proof.json --key log.vkey --image other.png", exits=1)
    walk.line("sleeve verify log", says="valid")
    walk.line("sleeve verify consistency")
    walk.step("sleeve verify consistency NEW OLD --key log.vkey --log sleeve-data/log", exits=1)
    for path, command in (
        (court / "check.tlog-proof", "sleeve verify receipt check.tlog-proof --key log.vkey"),
        (next((court / "sleeve-data" / "log").rglob("entries/*")), "sleeve verify log ./sleeve-data/log --key log.vkey"),
    ):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        walk.step(command, exits=1)
    return walk


def walk_all(folder: Path, size: Size, environments: Path | None) -> dict[str, Any]:
    """Walk the five paths in one home.

    Args:
        folder: where the users stand; empty.
        size: how much.
        environments: where the tools' environments are or are made; None walks without the tools that the project does not
            install.

    Raises:
        StepError: the steps after one cannot be taken.
        ToolFailedError: a tool is there and did not do its work.
    """
    tools: dict[str, str] = {}
    with served_works(folder, size.photos) as works:
        walks = {
            "data engineer": partial(walk_data_engineer, works, environments, tools),
            "ML engineer": partial(walk_ml_engineer, works, size, tools),
            "release engineer": partial(walk_release_engineer, works, size),
            "compliance officer": partial(walk_compliance_officer, works),
            "court expert": partial(walk_court_expert, works),
        }
        paths = {user: walk().record() for user, walk in walks.items()}
    return {"size": asdict(size), "tools": tools, "paths": paths}


def main() -> None:
    """Walk, and save what came of each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, help="keep the tools' environments in this folder, for another run")
    options = parser.parse_args()
    if not PHOTOS.is_dir():
        raise SystemExit(f"the photographs are not here: {PHOTOS} (set SLEEVE_SHARED)")
    with TemporaryDirectory(prefix="sleeve-users-") as name:
        (Path(name) / "users").mkdir()
        environments = (options.tools or Path(name) / "tools").resolve()
        environments.mkdir(parents=True, exist_ok=True)
        figures = walk_all(Path(name) / "users", FULL, environments)
    save_figures("user-paths", "walked", figures)
    if faults := [fault for path in figures["paths"].values() for fault in path["faults"]]:
        raise SystemExit("\n".join(faults))


if __name__ == "__main__":
    main()
