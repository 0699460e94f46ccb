"""A registration checked: what its identity rests on, and what is refused before anything is stored."""

import pytest

from services.ingest.registration.preparation import check_item
from shared.errors import InputError
from shared.workspace import Workspace
from tests.support.factories import encode, picture, png, registration


def test_the_facts_of_the_bytes_are_taken(workspace: Workspace) -> None:
    data = png(1)
    prepared = check_item(registration("a.png"), data, workspace.limits)
    assert prepared.key == ("works", "a.png")
    assert (prepared.blob.media_type, prepared.blob.size_bytes) == ("image/png", len(data))
    assert prepared.blob.frames is None


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "MPO", "AVIF"])
def test_the_frames_of_a_file_are_counted_where_there_are_several(workspace: Workspace, kind: str) -> None:
    several = encode(picture(1), kind, save_all=True, append_images=[picture(2), picture(3)])
    assert check_item(registration("a"), several, workspace.limits).blob.frames == 3
    single = encode(picture(1), "JPEG" if kind == "MPO" else kind)
    assert check_item(registration("a"), single, workspace.limits).blob.frames is None


def test_identity_rests_on_record_and_bytes_and_not_on_time(workspace: Workspace) -> None:
    def digest(seed: int = 1, **changed: str) -> str:
        return check_item(registration("a.png", **changed), png(seed), workspace.limits).record_sha256

    assert digest() == digest(acquired_at="2026-03-01T00:00:00Z")
    assert len({digest(), digest(2), digest(title="Another")}) == 3


@pytest.mark.parametrize(("data", "licence"), [(b"words", "CC0-1.0"), (png(1), "no licence")])
def test_bad_bytes_and_bad_licences_are_refused(workspace: Workspace, data: bytes, licence: str) -> None:
    with pytest.raises(InputError):
        check_item(registration("a.png", licence=licence), data, workspace.limits)
