"""Trust anchors: all certificates of the file or an error, and nothing else of it."""

from pathlib import Path

import pytest

from shared.errors import InputError
from shared.settings import Settings
from shared.trust_anchors import load_trust_anchors
from shared.workspace import open_workspace
from tests.unit.services.ingest.signals.signing import chain


def test_every_certificate_is_read_and_a_key_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "anchors.pem"
    path.write_bytes(b"a comment\n" + chain("One").root_pem.encode() + chain("One").key_pem + chain("Two").root_pem.encode())
    anchors = load_trust_anchors(path)
    assert anchors == chain("One").root_pem + chain("Two").root_pem
    assert "PRIVATE" not in anchors


@pytest.mark.parametrize("content", [b"", b"no certificate", chain("One").key_pem, None])
def test_a_file_without_certificates_is_refused_when_the_workspace_opens(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "anchors.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="SLEEVE_C2PA_TRUST_ANCHORS") as caught:
        open_workspace(Settings(home=tmp_path / "home", database_url=None, c2pa_trust_anchors=path))
    assert caught.value.code == "settings_invalid"


def test_one_damaged_certificate_among_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "anchors.pem"
    lines = chain("Two").root_pem.splitlines()
    path.write_text(chain("One").root_pem + "\n".join([lines[0], lines[2], lines[-1]]) + "\n", encoding="ascii")
    with pytest.raises(InputError, match="expected a PEM file of certificates"):
        load_trust_anchors(path)
