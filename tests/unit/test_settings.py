"""Settings: documented, safe by default, and refused in one line where they cannot be accepted."""

import re
from ipaddress import ip_network
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


def test_lists_are_read_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLEEVE_FETCH_ALLOWED_NETWORKS", "10.1.0.0/16, fd12::/32,")
    monkeypatch.setenv("SLEEVE_FETCH_ALLOWED_PORTS", "443,8443")
    settings = load_settings()
    assert settings.fetch_allowed_networks == (ip_network("10.1.0.0/16"), ip_network("fd12::/32"))
    assert settings.fetch_allowed_ports == (443, 8443)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FETCH_ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("FETCH_ALLOWED_NETWORKS", "example.org"),
        ("FETCH_ALLOWED_PORTS", "0"),
        ("FETCH_ALLOWED_PORTS", "http"),
        ("FETCH_USER_AGENT", "no version"),
        ("FETCH_USER_AGENT", "Bot/1.0\r\nCookie: a=b"),
    ],
)
def test_what_would_not_work_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"SLEEVE_{name}", value)
    with pytest.raises(InputError, match=f"SLEEVE_{name}"):
        load_settings()


def test_nothing_but_public_addresses_is_fetched_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NETWORKS", "PORTS"):
        monkeypatch.delenv(f"SLEEVE_FETCH_ALLOWED_{name}", raising=False)
    settings = load_settings()
    assert (settings.fetch_allowed_networks, settings.fetch_allowed_ports) == ((), (80, 443))
