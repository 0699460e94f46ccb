"""Kept arrays: built in blocks, taken up where a build stopped, held against their digest, and noticed when written to."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared import array_store as kept_arrays
from shared.array_store import ArrayPlan, digest_rows, load_or_build, load_stored

WHOLE = np.arange(70, dtype=np.float32).reshape(10, 7)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_arrays, "BLOCK_ROWS", 3)


def counting_plan(blocks: list[tuple[int, int]], fail_at: int | None = None) -> ArrayPlan:
    def make_block(start: int, stop: int) -> NDArray[np.float32]:
        if start == fail_at:
            raise RuntimeError("stopped")
        blocks.append((start, stop))
        return WHOLE[start:stop]

    return ArrayPlan(WHOLE.shape, "float32", make_block)


def test_an_array_is_built_once_and_found_again(tmp_path: Path) -> None:
    blocks: list[tuple[int, int]] = []
    reports: list[tuple[int, int]] = []
    path = tmp_path / "new" / "a.npy"
    built = load_or_build(path, counting_plan(blocks), lambda done, whole: reports.append((done, whole)))
    assert blocks == [(0, 3), (3, 6), (6, 9), (9, 10)]
    assert reports == [(3, 10), (6, 10), (9, 10), (10, 10)]
    array = load_or_build(path, counting_plan(blocks))
    assert len(blocks) == 4
    assert np.array_equal(array.rows, WHOLE)
    assert np.array_equal(np.load(path), WHOLE)
    assert array.sha256 == built.sha256 == digest_rows(WHOLE)
    assert not array.rows.flags.writeable


@pytest.mark.parametrize("torn", ["", "half a block more", "last block changed", "lines gone", "lines torn", "header changed"])
def test_a_build_that_was_stopped_goes_on(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "a.npy"
    with pytest.raises(RuntimeError):
        load_or_build(path, counting_plan([], fail_at=6))
    part, lines = tmp_path / "a.part", tmp_path / "a.progress"
    content, progress = bytearray(part.read_bytes()), lines.read_bytes()
    if torn == "half a block more":
        part.write_bytes(bytes(content) + b"12345")
    if torn == "last block changed":
        content[-1 - 4 * 28] ^= 1  # the last byte of six rows of ten, of 28 bytes each; the file has its whole length
        part.write_bytes(bytes(content))
    if torn == "header changed":
        content[8] ^= 1
        part.write_bytes(bytes(content))
    if torn == "lines gone":
        lines.unlink()
    if torn == "lines torn":
        lines.write_bytes(progress[:-20])
    blocks: list[tuple[int, int]] = []
    built = load_or_build(path, counting_plan(blocks))
    assert np.array_equal(built.rows, WHOLE)
    expected = {"": 6, "half a block more": 6, "last block changed": 3, "lines torn": 3}.get(torn, 0)
    assert blocks[0] == (expected, min(expected + 3, 10))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.lock", "a.npy", "a.sha256"]


def test_a_build_that_was_stopped_twice_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for place in (3, 9):
        with pytest.raises(RuntimeError):
            load_or_build(path, counting_plan([], fail_at=place))
    (tmp_path / "a.progress").write_text((tmp_path / "a.progress").read_text(encoding="ascii")[:-30], encoding="ascii")
    with pytest.raises(RuntimeError):
        load_or_build(path, counting_plan([], fail_at=9))
    blocks: list[tuple[int, int]] = []
    assert np.array_equal(load_or_build(path, counting_plan(blocks)).rows, WHOLE)
    assert blocks == [(9, 10)]


def test_what_does_not_hold_or_fit_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    plan = counting_plan([])
    load_or_build(path, plan)
    for shape, dtype in (((9, 7), "float32"), ((10, 7), "int32")):
        assert load_stored(path, ArrayPlan(shape, dtype, plan.make_block)) is None
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(bytes(content))
    assert load_stored(path, plan) is None
    assert np.array_equal(load_or_build(path, plan).rows, WHOLE)


def test_a_write_is_noticed_at_a_look(tmp_path: Path) -> None:
    array = load_or_build(tmp_path / "a.npy", counting_plan([]))
    assert array.is_untouched
    content = bytearray(array.path.read_bytes())
    content[-1] ^= 1
    array.path.write_bytes(bytes(content))
    os.utime(array.path, ns=(array.stamp[2] + 1, array.stamp[2] + 1))
    assert not array.is_untouched
    array.path.unlink()
    assert not array.is_untouched


def test_a_block_of_another_shape_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected"):
        load_or_build(tmp_path / "a.npy", ArrayPlan((4, 2), "uint8", lambda _start, _stop: np.zeros((1, 2), np.uint8)))
