"""Search by image: each kind of match, their order, and what an answer says of what it did not compare."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from services.ingest.items.schemas import ItemAnswer
from services.ingest.lifecycle.changes import record_withdrawal
from services.ingest.lifecycle.schemas import Withdrawal
from services.ingest.search import service
from services.ingest.search.fingerprint_backlog import catch_up
from services.ingest.search.schemas import SearchAnswer
from services.ingest.search.service import ImageSearch
from shared.auth.item_visibility import PublicItem
from shared.canonical import sha256_hex
from shared.errors import InputError
from shared.workspace import Workspace
from tests.support.factories import encode, picture, png_of_size, register
from tests.unit.services.ingest.search.copies import big_png, detailed, noisy, register_many, turned_jpeg


def search(workspace: Workspace, data: bytes, max_distance: int = 31, limit: int = 50) -> SearchAnswer:
    return ImageSearch(workspace).search(data, max_distance, limit)


def shown(answer: SearchAnswer) -> list[tuple[str, int | None, str]]:
    return [(match.kind, match.distance, whole(match.item).source_key) for match in answer.matches]


def whole(item: ItemAnswer | PublicItem) -> ItemAnswer:
    """The item as those see it who may see all of it."""
    assert isinstance(item, ItemAnswer)
    return item


def test_the_same_bytes_pixels_and_look_are_told_apart(any_workspace: Workspace) -> None:
    original, copy = detailed(1), encode(detailed(1), "JPEG", quality=80)
    files = {"other.png": big_png(2), "pixels.webp": encode(original, "WEBP", lossless=True), "copy.jpg": copy}
    register_many(any_workspace, {**files, "exact.png": big_png(1)})
    answer = search(any_workspace, big_png(1))
    kinds = [(kind, key) for kind, _, key in shown(answer)]
    assert kinds == [("exact", "exact.png"), ("pixels", "pixels.webp"), ("perceptual", "copy.jpg")]
    assert [distance for _, distance, _ in shown(answer)][:2] == [0, 0]
    assert 0 <= (answer.matches[2].distance or 0) <= 31
    assert (answer.more, answer.complete) == (False, True)
    assert answer.query.sha256 == sha256_hex(big_png(1))
    assert whole(answer.matches[0].item).owners[0].name == "Olga Owner"
    # Seen from the copy, the copy is the exact one.
    assert shown(search(any_workspace, copy))[0][0::2] == ("exact", "copy.jpg")


def test_every_item_with_the_bytes_is_named_once(any_workspace: Workspace) -> None:
    ids = register_many(any_workspace, {f"{number}.png": big_png(1) for number in range(3)})
    answer = search(any_workspace, big_png(1))
    assert [match.item.id for match in answer.matches] == sorted(ids.values())
    assert answer.searched.registered == 1


def test_a_png_written_otherwise_has_the_same_pixels(workspace: Workspace) -> None:
    register(workspace, "a.png", big_png(1))
    again = big_png(1, compress_level=0)
    assert shown(search(workspace, again)) == [("pixels", 0, "a.png")]


def test_a_turned_jpeg_has_the_pixels_of_the_upright_picture(workspace: Workspace) -> None:
    turned = turned_jpeg(detailed(1))
    with Image.open(io.BytesIO(turned)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    register(workspace, "turned.jpg", turned)
    assert shown(search(workspace, encode(upright))) == [("pixels", 0, "turned.jpg")]


def test_near_copies_come_nearest_first_and_only_within_the_distance(any_workspace: Workspace) -> None:
    copies = {
        f"{quality}.jpg": encode(noisy(detailed(1), levels), "JPEG", quality=quality)
        for quality, levels in ((90, 1), (50, 8), (20, 25))
    }
    register_many(any_workspace, copies)
    found = shown(search(any_workspace, big_png(1), max_distance=128))
    distances = [distance or 0 for _, distance, _ in found]
    assert {key for _, _, key in found} == set(copies)
    assert distances == sorted(distances)
    cut = distances[-1] - 1
    within = shown(search(any_workspace, big_png(1), max_distance=cut))
    assert within == [one for one in found if (one[1] or 0) <= cut]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_a_limit_keeps_the_strongest(workspace: Workspace, limit: int) -> None:
    jpeg = encode(detailed(1), "JPEG", quality=80)
    register(workspace, "exact.png", big_png(1))
    register(workspace, "pixels.png", big_png(1, compress_level=0))
    # Three items with one blob, all at one distance: the limit may fall between them.
    register_many(workspace, {f"{number}.jpg": jpeg for number in range(3)})
    everything = shown(search(workspace, big_png(1)))
    assert len(everything) == 5
    answer = search(workspace, big_png(1), limit=limit)
    assert shown(answer) == everything[:limit]
    assert answer.more == (limit < 5)


def test_an_unknown_picture_has_no_match(any_workspace: Workspace) -> None:
    register_many(any_workspace, {f"{number}.png": big_png(number) for number in range(5)})
    answer = search(any_workspace, big_png(77))
    assert (answer.matches, answer.more, answer.complete) == ([], False, True)
    assert answer.searched.registered == 5


def test_nothing_registered_is_searched_too(workspace: Workspace) -> None:
    answer = search(workspace, big_png(1))
    assert (answer.matches, answer.searched.registered, answer.complete) == ([], 0, True)


def test_a_flat_picture_is_found_by_bytes_and_pixels_only(workspace: Workspace) -> None:
    flat = Image.new("RGB", (40, 40), (200, 30, 30))
    other = Image.new("RGB", (40, 40), (30, 30, 200))
    register(workspace, "flat.png", encode(flat))
    register(workspace, "other.png", encode(other))
    answer = search(workspace, encode(flat, compress_level=0))
    assert shown(answer) == [("pixels", None, "flat.png")]
    assert (answer.perceptual.defined, answer.perceptual.quality, answer.perceptual.min_quality) == (False, 0, 50)
    assert (answer.searched.hash_undefined, answer.complete) == (2, True)


def test_withdrawn_items_are_shown_as_withdrawn(workspace: Workspace) -> None:
    item = register(workspace, "a.png", big_png(1))
    with workspace.writing() as session:
        record_withdrawal(session, item.id, Withdrawal(reason="the creator asked"))
    [match] = search(workspace, big_png(1)).matches
    assert (match.kind, match.item.state) == ("exact", "withdrawn")


def test_what_was_not_compared_is_counted(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CATCH_UP_SECONDS", 0.0)
    register_many(workspace, {f"{number}.png": big_png(number) for number in range(4)})
    answer = search(workspace, encode(detailed(1), "JPEG", quality=80))
    assert (answer.matches, answer.searched.not_fingerprinted, answer.complete) == ([], 4, False)
    # The exact bytes are known from the registration itself.
    assert shown(search(workspace, big_png(1))) == [("exact", 0, "1.png")]
    catch_up(workspace)
    answer = search(workspace, encode(detailed(1), "JPEG", quality=80))
    assert ([key for _, _, key in shown(answer)], answer.complete) == (["1.png"], True)


def test_failed_blobs_are_counted(workspace: Workspace) -> None:
    item = register(workspace, "a.png", big_png(1))
    workspace.blobs.path(item.blob_sha256).write_bytes(b"damaged")
    answer = search(workspace, big_png(2))
    assert (answer.searched.failed, answer.searched.not_fingerprinted, answer.complete) == (1, 0, False)


def test_one_search_object_sees_what_came_since(workspace: Workspace) -> None:
    opened = ImageSearch(workspace)
    assert opened.search(big_png(1), 31, 5).matches == []
    register(workspace, "a.jpg", encode(detailed(1), "JPEG", quality=80))
    assert [match.kind for match in opened.search(big_png(1), 31, 5).matches] == ["perceptual"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_an_image"),
        (b"words", "not_an_image"),
        (big_png(1)[:200], "image_damaged"),
        (png_of_size(10_000, 10_000), "image_too_many_pixels"),
        (encode(picture(1, 2)), "image_too_small"),
    ],
)
def test_what_cannot_be_registered_cannot_be_searched(workspace: Workspace, data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        search(workspace, data)
    assert caught.value.code == code


# Works of many hands, drawn with lines and flat areas: harder for a perceptual hash than photographs.
SAMPLE = 40


def test_real_pictures_are_found_through_what_happens_to_copies(workspace: Workspace, shared_data: Path) -> None:
    every = sorted((shared_data / "openmoji" / "images").glob("*.png"))
    paths = every[:: len(every) // SAMPLE][:SAMPLE]
    register_many(workspace, {path.name: path.read_bytes() for path in paths})
    catch_up(workspace)
    opened = ImageSearch(workspace)
    changes: dict[str, list[bool]] = {"jpeg": [], "half": [], "noise": []}
    for path in paths:
        with Image.open(path) as image:
            over_white = Image.new("RGBA", image.size, "white")
            over_white.alpha_composite(image.convert("RGBA"))
        original = over_white.convert("RGB")
        half = original.resize((original.width // 2, original.height // 2), Image.Resampling.LANCZOS)
        copies = {
            "jpeg": encode(original, "JPEG", quality=75),
            "half": encode(half),
            "noise": encode(noisy(original)),
        }
        for change, data in copies.items():
            matches = opened.search(data, 31, 50).matches
            changes[change].append(path.name in {whole(match.item).source_key for match in matches})
    assert {change: float(np.mean(found)) >= 0.95 for change, found in changes.items()} == dict.fromkeys(changes, True)
