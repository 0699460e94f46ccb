"""What is deployed: a compose file without open ports or default secrets, and a distribution that carries its data files."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

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
