"""Images that two manifests share, counted by their bytes on every database."""

from PIL import Image

from shared.records.manifests import count_shared_images, seal_manifest
from shared.workspace import Workspace
from tests.support.factories import encode, register


def test_an_image_is_shared_where_its_bytes_are_and_counted_once(any_workspace: Workspace) -> None:
    red, blue, grey = (encode(Image.new("RGB", (16, 16), colour)) for colour in ("red", "blue", "grey"))
    items = {
        key: register(any_workspace, key, data).id for key, data in zip("abcde", (red, red, blue, red, grey), strict=True)
    }
    with any_workspace.writing() as session:
        training = seal_manifest(session, "training", "train", [items["a"], items["b"], items["c"]])
        same, other = (seal_manifest(session, f"with-{key}", "control", [items[key]]) for key in "de")
    with any_workspace.reading() as session:
        shared = [count_shared_images(session, training.id, control.id) for control in (same, other, training)]
    assert shared == [1, 0, 2]
