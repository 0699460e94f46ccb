"""What the users of the paths begin with: photographs with their metadata, and files made of them by other people's tools.

Rules, in order:

1. The photographs are those of `data/photos` beside the project (SLEEVE_SHARED), served by a server on the loopback.
2. Each tool is installed into an environment of its own, outside the project, and makes its files there. Where one cannot be
   had, the reason is returned instead, and no layout is made in its place.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.support.paths import SHARED
from tests.support.web_server import LOOPBACK, Page, WebServer, web_server

PHOTOS = SHARED / "data" / "photos"
SCRIPTS = Path(__file__).with_name("tool_files")
# What each environment needs, by the package that gives it its name.
TOOLS = {"img2dataset": ("img2dataset",), "datasets": ("datasets", "pillow"), "mlcroissant": ("mlcroissant", "pillow")}
INSTALL_SECONDS, MAKE_SECONDS = 900, 300


class ToolMissingError(Exception):
    """A tool cannot be had here."""


class ToolFailedError(Exception):
    """A tool is there and did not do its work."""


@dataclass(frozen=True)
class Works:
    """Photographs of a user, in `<folder>/my-images`, and where they are served.

    Attributes:
        folder: where the user stands.
        rows: file, title, creator, licence and subject of each.
        site: the server; a path is a file's name.
    """

    folder: Path
    rows: list[dict[str, str]]
    site: WebServer

    @property
    def photos(self) -> Path:
        """The folder of the photographs."""
        return self.folder / "my-images"

    @property
    def address(self) -> str:
        """Under which address the photographs are served."""
        return self.site.url("", LOOPBACK)

    @property
    def list_file(self) -> Path:
        """The rows as JSON, for the tools."""
        return self.folder / "works.json"


@contextmanager
def served_works(folder: Path, count: int) -> Iterator[Works]:
    """Lay photographs out as an imagefolder with `metadata.csv`, and serve them.

    Args:
        folder: where the user stands.
        count: how many; as many birds as dishes, as far as there are.
    """
    lines = [json.loads(line) for line in (PHOTOS / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [
        {
            "file": Path(line["file_name"]).name,
            "title": line["title"],
            "creator": line["creator"],
            "licence": line["licence"],
            "subject": Path(line["file_name"]).name.partition("-")[0],
        }
        for line in lines
    ]
    rows = [row for step in (rows[::2], rows[1::2]) for row in step][:count]
    (folder / "my-images").mkdir()
    with web_server(LOOPBACK) as site:
        works = Works(folder, rows, site)
        for row in rows:
            path = shutil.copy(PHOTOS / "images" / row["file"], works.photos)
            site.pages[f"/{row['file']}"] = Page(Path(path).read_bytes(), headers=(("Content-Type", "image/jpeg"),))
        site.pages["/no-picture.jpg"] = Page(b"<html>moved</html>", headers=(("Content-Type", "image/jpeg"),))
        with (works.photos / "metadata.csv").open("w", newline="", encoding="utf-8") as table:
            writer = csv.writer(table)
            writer.writerow(["file_name", "title", "creator", "licence", "source_url"])
            for row in rows:
                writer.writerow([row["file"], row["title"], row["creator"], row["licence"], f"{works.address}/{row['file']}"])
        works.list_file.write_text(json.dumps(rows), encoding="utf-8")
        yield works


def install(tool: str, environments: Path) -> tuple[Path, str]:
    """Make a tool's environment, unless it is there; return its Python and the version.

    Raises:
        ToolMissingError: it cannot be installed here.
    """
    python = environments / tool / "bin" / "python"
    done = environments / tool / "installed"
    if not done.exists():
        venv.create(environments / tool, with_pip=True, clear=True)
        words = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *TOOLS[tool])
        try:
            _run(words, environments, INSTALL_SECONDS)
        except ToolFailedError as error:
            raise ToolMissingError(str(error)) from error
        done.touch()
    script = f"from importlib.metadata import version; print(version({tool!r}))"
    return python, _run((str(python), "-c", script), environments, MAKE_SECONDS).strip()


def make_files(tool: str, works: Works, folder: Path, environments: Path) -> str:
    """Let a tool make its files in a folder; return the tool's version.

    Raises:
        ToolMissingError: it cannot be installed here.
        ToolFailedError: it did not make them.
    """
    python, version = install(tool, environments)
    folder.mkdir()
    rows, photos = str(works.list_file), str(works.photos)
    script, arguments = {
        "img2dataset": ("img2dataset_outputs.py", (rows, works.address, str(folder))),
        "datasets": ("huggingface_layouts.py", (rows, photos, str(folder))),
        "mlcroissant": ("croissant_description.py", (rows, photos, str(folder))),
    }[tool]
    _run((str(python), str(SCRIPTS / script), *arguments), folder, MAKE_SECONDS)
    return version


def make_models(folder: Path) -> str:
    """Let the installed diffusers write its layouts; return its version."""
    folder.mkdir()
    _run((sys.executable, str(SCRIPTS / "diffusers_models.py"), str(folder)), folder, MAKE_SECONDS)
    script = "from importlib.metadata import version; print(version('diffusers'))"
    return _run((sys.executable, "-c", script), folder, MAKE_SECONDS).strip()


def write_odd_files(folder: Path, copy: bytes) -> dict[str, str]:
    """Put into a folder of generations what also lies in such folders; return the decision that each has to get.

    Args:
        folder: of generations.
        copy: bytes of a training picture, a JPEG.
    """
    with Image.open(BytesIO(copy)) as image:
        picture = image.convert("RGB")
    grey = Image.new("RGB", picture.size, "grey")
    (folder / "copy.jfif").write_bytes(copy)
    (folder / "copy-without-suffix").write_bytes(copy)
    for suffix in ("gif", "tiff", "bmp", "avif", "webp"):
        picture.save(folder / f"copy.{suffix}")
    picture.transpose(Image.Transpose.ROTATE_90).save(folder / "copy-turned.png")
    grey.save(folder / "copy-second-frame.webp", save_all=True, append_images=[picture], lossless=True)
    grey.save(folder / "copy-second-frame.png", save_all=True, append_images=[picture])
    flagged = {path.name: "flag" for path in folder.glob("copy*")}
    (folder / "cut.jpg").write_bytes(copy[: len(copy) // 2])
    (folder / "named-as-picture.png").write_text("no picture", encoding="utf-8")
    (folder / "notes.txt").write_text("prompt: a bird", encoding="utf-8")
    (folder / "nowhere.png").symlink_to("not-there.png")
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("picture.jpg", copy)
    unread = ("cut.jpg", "named-as-picture.png", "notes.txt", "nowhere.png", "more.zip")
    return flagged | dict.fromkeys(unread, "refused")


def _run(words: tuple[str, ...], folder: Path, seconds: float) -> str:
    """Run a tool, with all that it leaves beside its files in `<folder>-scratch`; nothing is asked of a hub.

    Raises:
        ToolFailedError: it did not end well.
    """
    scratch = folder.with_name(f"{folder.name}-scratch")
    scratch.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(scratch), "CROISSANT_CACHE": str(scratch)}
    environment |= {"TMPDIR": str(scratch), "NO_ALBUMENTATIONS_UPDATE": "1"}
    done = subprocess.run(words, cwd=scratch, env=environment, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise ToolFailedError(f"{words[:4]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
