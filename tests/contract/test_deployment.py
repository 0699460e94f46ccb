"""What is deployed: no open ports, no default secrets, each download by its digest, and a distribution with its data files."""

import re
import subprocess
import sys
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from shared.db import open_database
from shared.settings import load_settings
from tests.support.paths import ROOT


def test_compose_publishes_on_loopback_only_and_has_no_default_secret() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    for name, service in compose["services"].items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), (name, port)
        for key, value in service.get("environment", {}).items():
            if "PASSWORD" in key:
                assert ":?" in value, (name, key)
    example = (ROOT / "deploy" / "env.example").read_text(encoding="utf-8")
    assert all(line.endswith("=") for line in example.splitlines() if line and not line.startswith("#"))


@pytest.mark.parametrize("password", ["simple", "p@ss/w:rd", "a?b#c%40 d", "ü[1]&=+"])
def test_any_password_reaches_the_database_as_it_is(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    for name, value in compose["services"]["sleeve"]["environment"].items():
        monkeypatch.setenv(name, value.replace("${POSTGRES_PASSWORD:?set it in .env}", password))
    monkeypatch.setenv("SLEEVE_LOG_ORIGIN", "log.example.org")
    settings = load_settings()
    engine = open_database(settings)
    _, connect = engine.dialect.create_connect_args(engine.url)
    expected = {"host": "127.0.0.1", "port": 5432, "user": "sleeve", "dbname": "sleeve"}
    assert {name: connect[name] for name in expected} == expected
    assert connect["password"] == password
    assert password == "simple" or password not in repr(settings)  # pragma: allowlist secret


def locked() -> dict[NormalizedName, tuple[str, list[str]]]:
    """Version and digests of each package that the image installs, by its canonical name; not those of other systems."""
    text = (ROOT / "deploy" / "requirements.txt").read_text(encoding="utf-8").replace(" \\\n", " ")
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            words, *digests = line.split(" --hash=sha256:")
            requirement = Requirement(words)
            if requirement.marker is None or requirement.marker.evaluate():
                version = str(requirement.specifier).removeprefix("==")
                found[canonicalize_name(requirement.name)] = version, [digest.strip() for digest in digests]
    return found


def installed_with(requirement: str) -> set[NormalizedName]:
    """Return the canonical names of all that a requirement brings here, itself included."""
    seen: set[tuple[NormalizedName, str]] = set()
    waiting = [Requirement(requirement)]
    while waiting:
        wanted = waiting.pop()
        for extra in {"", *wanted.extras}:
            key = canonicalize_name(wanted.name), extra
            if key in seen:
                continue
            seen.add(key)
            needs = map(Requirement, requires(wanted.name) or ())
            waiting += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
    return {name for name, _ in seen}


def test_the_image_installs_everything_by_its_digest() -> None:
    # Not so? `make hashes` writes the file anew.
    packages = locked()
    assert installed_with("sleeve[all]") - {canonicalize_name("sleeve")} <= packages.keys()
    for name, (_, digests) in packages.items():
        assert digests, name
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests), name
    text = (ROOT / "deploy" / "requirements.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert set(re.findall(r"--[a-z-]+", text)) == {"--hash"}


def test_the_image_has_the_versions_that_the_tests_run_with() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    constraints = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    versions = {name: version for name, (version, _) in locked().items()}
    # It builds the package and is no part of an installation.
    del versions[canonicalize_name("setuptools")]
    assert {name: version for name, version in versions.items() if constraints.get(name) != version} == {}


def test_the_image_downloads_nothing_without_its_digest() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    installs = [line for line in lines if "pip " in line and not line.startswith("#")]
    assert len(installs) == 2
    for line in installs:
        assert "--require-hashes" in line or {"--no-index", "--no-deps", "--no-build-isolation"} <= set(line.split()), line
    assert "ARG EXTRA_INDEX=" in lines


@pytest.mark.timeout(120)
def test_the_distribution_carries_templates_policy_and_migrations(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT)],
        check=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (*ROOT.glob("services/**/*.j2"), *ROOT.glob("services/**/*.css"), *ROOT.glob("services/**/*.toml")):
        assert str(path.relative_to(ROOT)) in names
    for path in ROOT.glob("shared/records/migrations/versions/*.py"):
        assert str(path.relative_to(ROOT)) in names
    assert not [name for name in names if name.startswith("tests/")]
