"""Settings: documented, safe by default, and refused in one line where they cannot be accepted."""

import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.settings import Settings, load_settings
from tests.support.paths import ROOT

DOCUMENT = ROOT / "docs" / "settings.md"


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    documented = set(re.findall(r"^\| `SLEEVE_(\w+)`", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert documented == {name.upper() for name in Settings.model_fields}


def test_the_documented_defaults_are_those_in_force() -> None:
    table = DOCUMENT.read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| `SLEEVE_(\w+)` \| ([^|]*?) \|", table, flags=re.MULTILINE))
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, (int, str, Path)):
            assert stated[name.upper()].strip("`") == str(field.default), name


def test_secrets_have_no_default_and_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]
    assert {"wayback_access_key", "wayback_secret"} <= set(secrets)
    assert {Settings.model_fields[name].default for name in secrets} == {None}
    for name in ("ACCESS_KEY", "SECRET"):
        monkeypatch.setenv(f"SLEEVE_WAYBACK_{name}", "do-not-show")
    settings = load_settings()
    assert "do-not-show" not in f"{settings!r}{settings.model_dump_json()}"
    assert settings.wayback_secret is not None
    assert settings.wayback_secret.get_secret_value() == "do-not-show"


def test_one_key_without_the_other_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLEEVE_WAYBACK_ACCESS_KEY", "do-not-show")
    with pytest.raises(InputError, match="SLEEVE_WAYBACK_ACCESS_KEY and SLEEVE_WAYBACK_SECRET together") as caught:
        load_settings()
    assert "do-not-show" not in caught.value.message


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
        ("WAYBACK_URL", "https://web.archive.org/save"),
        ("WAYBACK_URL", "web.archive.org"),
        ("WAYBACK_URL", "http://web.archive.org"),
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
