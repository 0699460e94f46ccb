"""The SSCD embedder through its real loading path, against a plain forward pass; files that are none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional
from torchvision import transforms

from deploy.convert_sscd import convert
from shared.errors import InputError
from shared.vision.embedders.sscd import build_network
from shared.vision.embedding import open_embedder
from shared.vision.embedding.embedder import collection_name
from tests.support.factories import picture

Weights = dict[str, torch.Tensor]


def published_weights() -> Weights:
    """Random weights under the published names; batch norms as after training, not as made."""
    torch.manual_seed(0)
    weights = build_network().state_dict()
    for name, tensor in weights.items():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    return {f"backbone.{name}": tensor for name, tensor in weights.items()}


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sscd")
    torch.save(published_weights(), folder / "random.torchvision.pt")
    assert convert(folder / "random.torchvision.pt", folder / "random.safetensors") == len(published_weights())
    return folder / "random.safetensors"


def naive_forward(x: torch.Tensor, weights: Weights) -> torch.Tensor:
    """ResNet-50 (He et al. 2016, stride on the 3 × 3 as in torchvision), GeM with p = 3, linear, length 1: spelt out."""

    def conv(x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        kernel = weights[f"{name}.weight"]
        return functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[2] // 2)

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, spread, scale, shift = (
            weights[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(spread + 1e-5) * scale + shift

    x = functional.max_pool2d(norm(conv(x, "conv1", 2), "bn1").relu(), 3, stride=2, padding=1)
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            at, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            inner = norm(conv(x, f"{at}.conv1"), f"{at}.bn1").relu()
            inner = norm(conv(inner, f"{at}.conv2", stride), f"{at}.bn2").relu()
            inner = norm(conv(inner, f"{at}.conv3"), f"{at}.bn3")
            if block == 0:
                x = norm(conv(x, f"{at}.downsample.0", stride), f"{at}.downsample.1")
            x = (inner + x).relu()
    pooled = x.clamp(min=1e-6).pow(3).mean(dim=(2, 3)).pow(1 / 3)
    raw = pooled @ weights["fc.weight"].T + weights["fc.bias"]
    return raw / raw.norm(dim=1, keepdim=True)


def test_vectors_are_those_of_a_plain_forward_pass(weights_file: Path) -> None:
    embedder = open_embedder(f"sscd:{weights_file}")
    images = [picture(1, 64), picture(2, 400)]
    preprocess = transforms.Compose(
        [
            transforms.Resize(288),  # bilinear: the authors' `small_288`
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    expected = naive_forward(torch.stack([preprocess(image) for image in images]), load_file(weights_file))
    vectors = embedder.embed(images)
    assert vectors.shape == (2, embedder.dimensions) == (2, 512)
    np.testing.assert_allclose(vectors, expected.numpy(), atol=2e-5)
    assert embedder.name == "sscd:random.safetensors"
    assert embedder.embed([]).shape == (0, 512)


def test_an_oblong_picture_is_seen_as_its_centred_square(weights_file: Path) -> None:
    embedder = open_embedder(f"sscd:{weights_file}")
    oblong = picture(4, 60).resize((90, 60))
    seen, square = embedder.prepare(oblong), embedder.prepare(oblong.crop((15, 0, 75, 60)))
    # But for the edges, where resizing looks a pixel of the picture beyond the square.
    assert torch.equal(seen[:, 6:-6, 6:-6], square[:, 6:-6, 6:-6])
    assert embedder.prepare(Image.new("RGB", (4000, 8))).shape == (3, 288, 288)


def test_other_weights_are_another_collection(weights_file: Path, tmp_path: Path) -> None:
    weights = load_file(weights_file)
    weights["fc.bias"] += 0.01
    save_file(weights, tmp_path / weights_file.name)
    first, second = (open_embedder(f"sscd:{path}") for path in (weights_file, tmp_path / weights_file.name))
    assert first.name == second.name
    assert collection_name(first) != collection_name(second)


def change(weights: Weights, case: str) -> None:
    if case == "missing":
        del weights["layer3.2.conv2.weight"]
    elif case == "foreign":
        weights["head.weight"] = torch.zeros(2)
    elif case == "shape":
        weights["fc.weight"] = weights["fc.weight"][:256].clone()
    else:
        weights["fc.bias"][3] = torch.nan


@pytest.mark.parametrize(
    ("case", "named"),
    [("missing", "layer3.2.conv2.weight"), ("foreign", "head.weight"), ("shape", "fc.weight"), ("nan", "fc.bias")],
)
def test_tensors_that_do_not_fit_are_named(weights_file: Path, tmp_path: Path, case: str, named: str) -> None:
    weights = load_file(weights_file)
    change(weights, case)
    save_file(weights, tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match=named) as caught:
        open_embedder(f"sscd:{tmp_path / 'weights.safetensors'}")
    assert caught.value.code == "embedder_weights_bad"


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_refused(tmp_path: Path, zipped: bool) -> None:
    torch.save({"fc.bias": torch.zeros(2)}, tmp_path / "weights.safetensors", _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError) as caught:
        open_embedder(f"sscd:{tmp_path / 'weights.safetensors'}")
    assert caught.value.code == "weights_not_safetensors"


def test_no_file_and_no_safetensors_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no weights")
    for path, code in (("", "embedder_weights_missing"), ("text", "embedder_weights_bad")):
        with pytest.raises(InputError) as caught:
            open_embedder(f"sscd:{tmp_path / path if path else ''}")
        assert caught.value.code == code


def test_files_with_other_names_are_not_converted(tmp_path: Path) -> None:
    torch.save({"embeddings.1.weight": torch.zeros(2)}, tmp_path / "random.classy.pt")
    with pytest.raises(ValueError, match=r"embeddings\.1"):
        convert(tmp_path / "random.classy.pt", tmp_path / "out")
