"""Metadata taken out of PNG, JPEG and WebP; files that are cut off or no images."""

import pytest

from services.ingest.signals.containers import MAX_BLOCKS, find_metadata
from tests.support.factories import encode, picture, png
from tests.unit.services.ingest.signals.xmp_pictures import png_block, with_blocks, with_compressed_xmp, with_xmp, xmp

PACKET = xmp("", 'photoshop:Credit="An"')


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_xmp_is_found_in_each_container(kind: str, media_type: str) -> None:
    metadata = find_metadata(with_xmp(PACKET, kind))
    assert metadata.media_type == media_type
    assert [packet.strip() for packet in metadata.xmp] == [PACKET]
    assert metadata.errors == []


def test_compressed_text_is_unfolded() -> None:
    assert find_metadata(with_compressed_xmp(PACKET)).xmp == [PACKET]


def test_a_picture_without_metadata_has_none() -> None:
    metadata = find_metadata(encode(picture(1), "JPEG"))
    assert (metadata.xmp, metadata.c2pa, metadata.errors) == ([], [], [])


def test_what_is_no_image_has_no_media_type() -> None:
    assert find_metadata(b"words").media_type is None


@pytest.mark.parametrize("length", [9, 20, 40, 60])
def test_a_file_that_is_cut_off_raises_nothing(length: int) -> None:
    assert find_metadata(png(1)[:length]).media_type == "image/png"


def test_a_file_of_too_many_blocks_says_so() -> None:
    assert find_metadata(with_blocks(png_block(b"teSt", b"") * MAX_BLOCKS)).errors
