"""Inputs that failed in the field, registered as their user would, with what became of each row.

Run as `python -m tests.campaigns.field [--tree FOLDER] [--key before]`; writes docs/results/field.json. The inputs are those
of `cases` beside the project (SLEEVE_SHARED, else ../shared). Another tree of the project, such as one of before, is measured
by naming its folder; its command line is found there.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.campaigns.results import save_figures
from tests.support.paths import ROOT, SHARED

CASES = SHARED / "cases"
# Where the command line lies, now and before it had a room of its own.
ENTRIES = ("services.commands.main", "services.cli")


DECODING = """import sys
from shared.errors import SleeveError
from shared.settings import Settings
try:
    from shared.vision.image_decoding import decode_image
    from shared.vision.image_limits import image_limits
except ImportError:
    from shared.vision.images import decode_image, image_limits
try:
    image = decode_image(open(sys.argv[1], "rb").read(), image_limits(Settings()))
    print("read", image.width_px, image.height_px)
except SleeveError as error:
    print(error.code)
"""


def run(tree: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a `sleeve` command of a tree."""
    entry = next(name for name in ENTRIES if (tree / f"{name.replace('.', '/')}.py").is_file())
    script = f"from {entry} import main; main()"
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(tree),
        "SLEEVE_HOME": str(home),
        "COLUMNS": "200",
        "LANG": "C.UTF-8",
    }
    words = (sys.executable, "-c", script, *words)
    return subprocess.run(words, cwd=home, env=environment, capture_output=True, text=True, timeout=300, check=False)


def register(tree: Path, source: Path) -> dict[str, Any]:
    """Register a case into a fresh home; return the exit status, what became of each row, and what the records say."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        done = run(tree, home, "ingest", "add", str(source), "--acquirer", "Field", "--dataset", "d", "--licence", "CC0-1.0")
        rows = [json.loads(line) for file in home.glob("ingest/*.jsonl") for line in file.read_text().splitlines()]
        outcomes = Counter(
            str(row.get("code") or row.get("state") or row.get("status")) for row in rows if "state" in row or "code" in row
        )
        listed = run(tree, home, "ingest", "items", "list", "--json", "--limit", "500")
        items = json.loads(listed.stdout)["items"] if listed.returncode == 0 else []
    records = Counter((item["licence"], bool(item["title"]), len(item["owners"]), bool(item["source_url"])) for item in items)
    return {
        "exit_status": done.returncode,
        "registered": len(items),
        "outcomes": dict(sorted(outcomes.items())),
        "records": [
            {"licence": licence, "titled": titled, "owners": owners, "with_source_url": with_url, "items": count}
            for (licence, titled, owners, with_url), count in sorted(records.items(), key=str)
        ],
        "message": "" if items or rows else done.stderr.strip().replace(str(CASES), "cases")[:300],
    }


def decode(tree: Path, picture: Path) -> dict[str, Any]:
    """Decode a picture by the code of a tree, with the limits of the settings."""
    words = (sys.executable, "-W", "ignore", "-c", DECODING, str(picture))
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tree)}
    done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return {"answer": done.stdout.strip() or done.stderr.strip()[-200:]}


def main() -> None:
    """Try every case and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, default=ROOT, help="the tree whose code is tried")
    parser.add_argument("--key", default="after", help="under which name its figures stand")
    options = parser.parse_args()
    if not CASES.is_dir():
        raise SystemExit(f"the cases are not here: {CASES} (set SLEEVE_SHARED)")
    figures = {}
    for case in sorted(CASES.iterdir()):
        figures[case.name] = (decode if case.suffix == ".png" else register)(options.tree.resolve(), case)
        print(case.name, json.dumps(figures[case.name]))  # noqa: T201 - what is being measured, as it comes
    save_figures("field", options.key, figures)


if __name__ == "__main__":
    main()
