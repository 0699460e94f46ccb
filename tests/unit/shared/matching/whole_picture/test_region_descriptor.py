"""The descriptor of regions: shapes, what it adds up, mirrored pictures, copies and parts found, the shipped map."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from safetensors.numpy import save_file

from shared.errors import InputError
from shared.matching.whole_picture.local_features import LocalFeatures, extract_features
from shared.matching.whole_picture.region_descriptor import (
    LEAST_FEATURES,
    SHIPPED,
    DescribedRegions,
    RegionDescriptor,
    find_inside,
    load_region_descriptor,
)
from shared.matching.whole_picture.regions import GENERATION_REGIONS, ITEM_REGIONS

PICTURES = 12


def draw_picture(seed: int, width: int = 320, height: int = 240) -> Image.Image:
    """Blots and strokes at random over slow shades: features of several sizes everywhere."""
    rng = np.random.default_rng(seed)
    noise = sum(
        np.asarray(
            Image.fromarray(rng.uniform(0, 255, (height // step + 2, width // step + 2)).astype(np.float32)).resize(
                (width, height), Image.Resampling.BICUBIC
            )
        )
        * step**0.3
        for step in (5, 11, 23, 47)
    )
    low, high = np.min(noise), np.max(noise)
    return Image.fromarray(((noise - low) / (high - low) * 255).astype(np.uint8)).convert("RGB")


@pytest.fixture(scope="module")
def descriptor() -> RegionDescriptor:
    return load_region_descriptor()


@pytest.fixture(scope="module")
def corpus(descriptor: RegionDescriptor) -> list[DescribedRegions]:
    return [descriptor.describe_item(extract_features(draw_picture(seed))) for seed in range(PICTURES)]


def take(features: LocalFeatures, kept: np.ndarray) -> LocalFeatures:
    return LocalFeatures(features.width, features.height, features.places[kept], features.descriptors[kept])


def find(descriptor: RegionDescriptor, corpus: list[DescribedRegions], picture: Image.Image) -> tuple[int, bool]:
    """The item that the nearest region belongs to, and whether the picture was read mirrored."""
    queries = descriptor.describe_generation(extract_features(picture))
    cosines = np.stack([(queries.vectors @ item.vectors.T).max(axis=1) for item in corpus], axis=1)
    query, item = np.unravel_index(cosines.argmax(), cosines.shape)
    return int(item), bool(queries.mirrored[query])


def test_items_and_generations_have_their_regions_as_unit_rows(descriptor: RegionDescriptor) -> None:
    features = extract_features(draw_picture(1))
    item, generation = descriptor.describe_item(features), descriptor.describe_generation(features)
    assert item.vectors.shape == (len(ITEM_REGIONS), descriptor.dimensions)
    assert item.numbers.tolist() == list(range(len(ITEM_REGIONS)))
    assert len(generation) == 2 * len(GENERATION_REGIONS)
    assert generation.mirrored.tolist() == [False] * len(GENERATION_REGIONS) + [True] * len(GENERATION_REGIONS)
    for described in (item, generation):
        assert described.vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(described.vectors, axis=1), 1, atol=1e-5)


def test_the_sums_are_what_the_rules_say(descriptor: RegionDescriptor) -> None:
    features = take(extract_features(draw_picture(2)), np.arange(40))
    mean, axes, centroids, centre, projection = (
        getattr(descriptor, name).astype(np.float64) for name in ("mean", "axes", "centroids", "centre", "projection")
    )
    placed = (features.unit_rows - mean) @ axes
    sums = np.zeros_like(centroids)
    for place, diameter in zip(placed, features.places[:, 2], strict=True):
        away = place - centroids
        nearest = int((away**2).sum(axis=1).argmin())
        sums[nearest] += diameter * away[nearest] / np.linalg.norm(away[nearest])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    sums /= np.sqrt(np.maximum(lengths, 1e-12))
    expected = sums.ravel() / np.linalg.norm(sums)
    np.testing.assert_allclose(descriptor.sum_regions(features, np.ones((1, 40), bool))[0], expected, atol=1e-6)
    mapped = (expected - centre) @ projection
    np.testing.assert_allclose(descriptor.describe_item(features).vectors[0], mapped / np.linalg.norm(mapped), atol=1e-5)


def test_a_region_is_described_by_the_features_within_it_alone(descriptor: RegionDescriptor) -> None:
    features = extract_features(draw_picture(3))
    inside = find_inside(features, ITEM_REGIONS)
    whole = descriptor.describe_item(features)
    for number in (1, 5, 9):
        alone = descriptor.describe_item(take(features, np.flatnonzero(inside[number])))
        np.testing.assert_array_equal(alone.vectors[0], whole.vectors[number])
    x, y = (features.points + 0.5).T
    assert inside[1].tolist() == ((x <= features.width / 2) & (y <= features.height / 2)).tolist()


def test_regions_with_few_features_are_left_out_and_the_whole_stays(descriptor: RegionDescriptor) -> None:
    features = extract_features(draw_picture(4))
    left = np.flatnonzero(features.points[:, 0] < features.width * 0.3)
    numbers = descriptor.describe_item(take(features, left)).numbers.tolist()
    assert numbers[0] == 0
    # Of three columns of regions, the last begins at half the width.
    assert {3, 6, 9}.isdisjoint(numbers)
    assert {1, 4, 7} <= set(numbers)
    assert descriptor.describe_item(take(features, left[: LEAST_FEATURES - 1])).numbers.tolist() == [0]
    assert descriptor.describe_item(extract_features(Image.new("RGB", (200, 200), "white"))).vectors.shape == (0, 256)


def test_regions_are_the_same_with_any_number_of_threads(descriptor: RegionDescriptor) -> None:
    pictures = [extract_features(draw_picture(seed)) for seed in range(4)]
    alone = [descriptor.describe_generation(features).vectors for features in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda features: descriptor.describe_generation(features).vectors, pictures * 3))
    for number, vectors in enumerate(together):
        np.testing.assert_array_equal(vectors, alone[number % 4])


def test_a_mirrored_picture_has_the_item_among_its_mirrored_regions(
    descriptor: RegionDescriptor, corpus: list[DescribedRegions]
) -> None:
    for seed in (0, 5, 11):
        assert find(descriptor, corpus, ImageOps.mirror(draw_picture(seed))) == (seed, True)


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture.crop((160, 0, 320, 120)).resize((320, 240)),
        lambda picture: picture.rotate(90, expand=True),
        lambda picture: picture.resize((416, 240)),
        lambda picture: picture.point(lambda level: level // 2 + 20),
        lambda picture: ImageOps.expand(picture, 80, "white"),
    ],
    ids=["crop to a quarter", "quarter turn", "stretched", "darker", "padded"],
)
def test_copies_and_parts_are_nearest_to_their_item(change, descriptor, corpus) -> None:  # type: ignore[no-untyped-def]
    assert [find(descriptor, corpus, change(draw_picture(seed))) for seed in range(6)] == [(seed, False) for seed in range(6)]


def test_an_inset_is_among_the_first_of_twelve(descriptor: RegionDescriptor, corpus: list[DescribedRegions]) -> None:
    """Half the sides of a picture that is noise like all others, which is harder than photographs are."""
    ranks = []
    for seed in range(8):
        canvas = draw_picture(100 + seed, 640, 480)
        canvas.paste(draw_picture(seed), (300, 220))
        queries = descriptor.describe_generation(extract_features(canvas.resize((512, 384))))
        nearest = np.array([(queries.vectors @ item.vectors.T).max() for item in corpus])
        ranks.append(int((nearest > nearest[seed]).sum()))
    assert max(ranks) <= 2
    assert ranks.count(0) >= 5


def test_a_saved_map_is_the_same_map_and_another_map_has_another_digest(descriptor: RegionDescriptor, tmp_path: Path) -> None:
    descriptor.save(tmp_path / "map.safetensors")
    assert load_region_descriptor(tmp_path / "map.safetensors").sha256 == descriptor.sha256
    other = RegionDescriptor(
        descriptor.mean, descriptor.axes, descriptor.centroids[::-1], descriptor.centre, descriptor.projection
    )
    assert other.sha256 != descriptor.sha256


def test_maps_that_do_not_fit_are_refused(descriptor: RegionDescriptor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tensors that fit together"):
        RegionDescriptor(
            descriptor.mean, descriptor.axes[:, :8], descriptor.centroids, descriptor.centre, descriptor.projection
        )
    endless = descriptor.projection.copy()
    endless[0, 0] = np.inf
    with pytest.raises(InputError, match="tensors that fit together"):
        RegionDescriptor(descriptor.mean, descriptor.axes, descriptor.centroids, descriptor.centre, endless)
    save_file({"mean": np.zeros(3, np.float16)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"expected axes, centre, .* got \['mean'\]"):
        load_region_descriptor(tmp_path / "other.safetensors")


def test_the_shipped_map_is_small_and_its_provenance_names_it(descriptor: RegionDescriptor) -> None:
    assert SHIPPED.stat().st_size < 1_000_000
    provenance = json.loads(SHIPPED.with_suffix(".json").read_text(encoding="utf-8"))
    assert provenance["sha256"] == descriptor.sha256
