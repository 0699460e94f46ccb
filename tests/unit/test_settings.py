"""Settings: documented, safe by default, and refused in one line where they cannot be accepted."""

import re
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.settings import Settings, load_settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    documented = set(re.findall(r"^\| `SLEEVE_(\w+)`", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert documented == {name.upper() for name in Settings.model_fields}


def test_the_defaults_are_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SLEEVE_{name.upper()}", raising=False)
    settings = Settings()
    assert settings.host == "127.0.0.1"
    assert settings.resolved_database_url.startswith("sqlite:///")


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLEEVE_PORT", "many")
    with pytest.raises(InputError, match="SLEEVE_PORT"):
        load_settings()
