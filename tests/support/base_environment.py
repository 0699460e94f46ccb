"""An environment that holds what `pip install .` brings and nothing else, installed from a wheel of this tree."""

import fcntl
import os
import shutil
import subprocess
import venv
from pathlib import Path

from tests.support.paths import ROOT

# What pip and venv put beside what was asked for.
INSTALLERS = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")
PIP_OPTIONS = ("--disable-pip-version-check", "--retries", "1", "--timeout", "20")


class InstallationError(Exception):
    """The base could not be installed; the message ends with what pip said."""


def install_base(folder: Path) -> Path:
    """Return the folder of the environment's programs; processes that share the folder install once.

    Raises:
        InstallationError: pip failed, mostly because no package registry can be reached.
    """
    folder.mkdir(parents=True, exist_ok=True)
    programs = folder / "venv" / "bin"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (programs / "sleeve").exists():
            _copy_sources(folder / "sources")
            venv.create(folder / "venv", with_pip=True, clear=True)
            _pip(programs, "wheel", "--no-deps", "-w", folder, folder / "sources")
            _pip(programs, "install", "-c", ROOT / "constraints.txt", *folder.glob("*.whl"))
    return programs


def run_alone(program: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment away from the source tree and its settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SLEEVE"))}
    words = [str(program), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=program.parent)


def list_installed_files(programs: Path) -> list[Path]:
    """Return the files of the installed packages, without the installers' and without bytecode."""
    [packages] = (programs.parent / "lib").glob("python*/site-packages")
    return [
        file
        for entry in packages.iterdir()
        if not entry.name.startswith(INSTALLERS)
        for file in ([entry] if entry.is_file() else entry.rglob("*"))
        if file.is_file() and file.suffix != ".pyc"
    ]


def _copy_sources(target: Path) -> None:
    """Copy what a wheel is built from, without what earlier builds left."""
    shutil.rmtree(target, ignore_errors=True)
    for name in ("services", "shared", "deploy"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target)


def _pip(programs: Path, command: str, *arguments: str | Path) -> None:
    done = run_alone(programs / "python", "-m", "pip", command, "--quiet", *PIP_OPTIONS, *arguments)
    if done.returncode:
        raise InstallationError(f"pip {command} failed: {done.stderr.strip()[-500:]}")
