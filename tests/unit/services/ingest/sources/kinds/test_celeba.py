"""CelebA's own layout: attributes kept, no owner presumed, the agreement's licence unless another is given."""

from pathlib import Path

import pytest
from sqlmodel import select

from services.ingest.sources.kinds.celeba import LICENCE, NO_OWNER, PAGE
from shared.errors import InputError
from shared.records.items import Diligence, Item, ItemOwner
from shared.workspace import Workspace
from tests.support.factories import encode, picture
from tests.unit.services.ingest.small_sources import add, opened, refusals

NAMES = ("Bald", "Smiling", "Young")
POINTS = ("lefteye_x", "lefteye_y", "righteye_x", "righteye_y")


def celeba(folder: Path, count: int, images: str = "img_align_celeba", lists: str = ".") -> Path:
    """A CelebA of this many images, as the set's own archives unpack."""
    (folder / images).mkdir(parents=True)
    (folder / lists).mkdir(exist_ok=True)
    names = [f"{number:06d}.jpg" for number in range(1, count + 1)]
    for number, name in enumerate(names):
        (folder / images / name).write_bytes(encode(picture(number), "JPEG"))
    attributes = "".join(f"{name}  1 -1  {1 if number % 2 else -1}\n" for number, name in enumerate(names))
    (folder / lists / "list_attr_celeba.txt").write_text(f"{count}\n{' '.join(NAMES)} \n{attributes}", encoding="utf-8")
    points = "".join(f"{name} 69  109  {100 + number}  -3\n" for number, name in enumerate(names))
    (folder / lists / "list_landmarks_align_celeba.txt").write_text(
        f"{count}\n{' '.join(POINTS)} \n{points}", encoding="utf-8"
    )
    (folder / lists / "list_bbox_celeba.txt").write_text(f"{count}\nimage_id x_1 y_1 width height\n000001.jpg 95 71 226 313\n")
    (folder / lists / "list_eval_partition.txt").write_text("".join(f"{name} {n % 3}\n" for n, name in enumerate(names)))
    (folder / lists / "identity_CelebA.txt").write_text("".join(f"{name} {2880 + n}\n" for n, name in enumerate(names)))
    return folder


def test_images_are_registered_with_attributes_and_without_owners(workspace: Workspace, tmp_path: Path) -> None:
    folder = celeba(tmp_path / "celeba", 6)
    assert (opened(folder).kind, opened(folder).count()) == ("celeba", 6)
    assert add(workspace, folder).created == 6
    assert add(workspace, folder).known == 6
    with workspace.reading() as session:
        item = session.exec(select(Item).where(Item.source_key == "000002.jpg")).one()
        assert not session.exec(select(ItemOwner)).all()
        searches = session.exec(select(Diligence)).all()
    assert item.extra == {
        "attributes": {"Bald": True, "Smiling": False, "Young": True},
        "landmarks_px": {"lefteye_x": 69, "lefteye_y": 109, "righteye_x": 101, "righteye_y": -3},
        "partition": "validation",
        "identity": "2881",
    }
    assert item.licence == LICENCE
    assert len(searches) == 6
    assert {search.result for search in searches} == {NO_OWNER}
    for known in ("not property of MMLAB", "non-commercial research only", "no licence of theirs is known"):
        assert known in NO_OWNER
    # Nothing is known of where an image was found, and nothing is claimed.
    assert (item.licence_url, item.source_url, item.archival_state, item.acquired_from) == (PAGE, None, None, None)


def test_the_published_folders_and_another_licence_are_understood(workspace: Workspace, tmp_path: Path) -> None:
    folder = celeba(tmp_path / "celeba", 2, images="Img/img_align_celeba", lists="Anno")
    assert add(workspace, folder, licence="LicenseRef-own-agreement").created == 2
    with workspace.reading() as session:
        items = session.exec(select(Item)).all()
        assert {(item.licence, item.licence_url) for item in items} == {("LicenseRef-own-agreement", None)}
        # The set's own terms stay on record beside the agreement.
        assert {search.result for search in session.exec(select(Diligence))} == {NO_OWNER}
    assert [row.key for row in opened(folder).rows(1)] == ["000002.jpg", "Anno/list_bbox_celeba.txt"]


def test_images_and_lines_that_do_not_fit_are_named(workspace: Workspace, tmp_path: Path) -> None:
    folder = celeba(tmp_path / "celeba", 5)
    images = folder / "img_align_celeba"
    (images / "000001.jpg").unlink()
    (images / "000002.jpg").write_bytes((images / "000002.jpg").read_bytes()[:-60])
    (images / "999999.jpg").write_bytes(encode(picture(9), "JPEG"))
    lines = folder / "list_attr_celeba.txt"
    lines.write_text(lines.read_text(encoding="utf-8").replace("000003.jpg  1 -1", "000003.jpg  1 0"), encoding="utf-8")
    points = folder / "list_landmarks_align_celeba.txt"
    points.write_text(points.read_text(encoding="utf-8").replace("000005.jpg 69", "000005.jpg left"), encoding="utf-8")
    result = add(workspace, folder)
    assert refusals(result) == {
        "000001.jpg": "file_missing",
        "000002.jpg": "image_damaged",
        "000003.jpg": "row_invalid",
        "000005.jpg": "row_invalid",
    }
    with workspace.reading() as session:
        found = {item.source_key: item.extra for item in session.exec(select(Item))}
    assert found.keys() == {"000004.jpg", "999999.jpg"}
    assert found["999999.jpg"] == {}


def test_a_list_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = celeba(tmp_path / "celeba", 1)
    (folder / "list_attr_celeba.txt").write_text("words\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        list(opened(folder).rows())
    assert caught.value.code == "metadata_invalid"
