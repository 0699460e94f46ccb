"""A client of the API that other people's tool generates from its description, in an environment of its own.

The tool, openapi-python-client, needs other versions of packages than Sleeve's tests. So it lives apart, installed from a
package registry on first use.
"""

import fcntl
import subprocess
import venv
from pathlib import Path

from tests.support.base_environment import PIP_OPTIONS, InstallationError, run_alone
from tests.support.paths import ROOT

GENERATOR = "openapi-python-client==0.29.1"


def generate_client(folder: Path) -> tuple[Path, str]:
    """Generate a client from docs/api/openapi.json; processes that share the folder generate it once.

    Returns:
        The Python that can import the client, and what the generator printed.

    Raises:
        InstallationError: the generator cannot be installed, mostly because no package registry can be reached.
    """
    folder.mkdir(parents=True, exist_ok=True)
    python, printed = folder / "venv" / "bin" / "python", folder / "printed.txt"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            venv.create(folder / "venv", with_pip=True, clear=True)
            done = run_alone(python, "-m", "pip", "install", "--quiet", *PIP_OPTIONS, GENERATOR)
            if done.returncode:
                raise InstallationError(done.stderr.strip()[-500:])
            description, target = ROOT / "docs" / "api" / "openapi.json", folder / "client"
            words = ("generate", "--path", description, "--output-path", target, "--meta", "none", "--overwrite")
            done = run_alone(python.parent / "openapi-python-client", *words)
            if done.returncode:
                raise InstallationError(done.stdout[-500:] + done.stderr[-500:])
            printed.write_text(done.stdout)
    return python, printed.read_text()


def run_with_client(python: Path, script: str, *arguments: str) -> str:
    """Run a script that imports `client`, and return what it printed."""
    words = [str(python), "-c", script, *arguments]
    done = subprocess.run(words, cwd=python.parents[2], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
