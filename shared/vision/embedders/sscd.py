"""The SSCD embedder: a network that was trained to tell copies of a picture from pictures like it.

Rules, in order:

1. Weights are a safetensors file with the names of torchvision's ResNet-50 and the shapes of the published models. The
   published file is a pickle. `deploy/convert_sscd.py` converts it on the operator's machine; a pickle is never opened here.
2. A picture is its centred square, as in the canonical view, resized to 288 px, less ImageNet's mean, divided by its
   deviation. That is what the authors recommend for square pictures.
3. A vector is the trunk's last map under generalised mean pooling with p = 3, through a linear layer to 512, of length 1.

Source: Pizzi et al. 2022, "A Self-Supervised Descriptor for Image Copy Detection" (arXiv:2202.10261); the README of
facebookresearch/sscd-copy-detection for the preprocessing; Radenović et al. 2018 (arXiv:1711.02512) for the pooling.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn import functional
from torchvision.models import resnet50

from shared.errors import InputError
from shared.vision.embedding.network_embedding import digest_weights, embed_in_batches

DIMENSIONS = 512
SIDE_PX = 288
# Of ImageNet, RGB in 0..1; as in torchvision's and the authors' preprocessing.
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
POOLING_POWER = 3.0
# Below, a power of a mean has no usable root.
SMALLEST_ACTIVATION = 1e-6
# Counts batches in training; nothing at inference depends on it.
TRAINING_ONLY = "num_batches_tracked"
# First bytes of the files that torch.save and pickle write.
PICKLES = (b"PK\x03\x04", b"\x80")


class GeneralisedMean(torch.nn.Module):
    """The p-th root of the mean p-th power over a map, p = 3: between the mean and the maximum."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Pool maps, (N, C, H, W), into (N, C, 1, 1)."""
        powers = maps.clamp(min=SMALLEST_ACTIVATION) ** POOLING_POWER
        return functional.adaptive_avg_pool2d(powers, 1) ** (1 / POOLING_POWER)


class SscdEmbedder:
    """Embeds with an SSCD model on a ResNet-50.

    Args:
        name: `sscd:<file name>`.
        model: ends in the linear layer; what `build_network` makes.
    """

    def __init__(self, name: str, model: torch.nn.Module) -> None:
        self.name = name
        self._model = model.eval()
        self.sha256 = digest_weights(model)
        self.dimensions = DIMENSIONS

    @classmethod
    def load(cls, file: str) -> Self:
        """Load converted weights.

        Args:
            file: of safetensors.

        Raises:
            InputError: there is no such file, it is no safetensors file, or its tensors are not those of an SSCD ResNet-50.
        """
        path = Path(file)
        if not path.is_file():
            raise InputError(f"expected sscd:<file of safetensors>, got {file!r}", code="embedder_weights_missing")
        weights = _read_weights(path)
        network = build_network()
        _check_fits(network, weights)
        network.load_state_dict(weights, strict=False)
        return cls(f"sscd:{path.name}", network)

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed images.

        Args:
            images: upright RGB, any size.

        Returns:
            float32, shape (N, 512), rows of length 1.
        """
        return embed_in_batches(self, images)

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """Bring an upright RGB image to the network's input, float32 (3, 288, 288)."""
        square = ImageOps.fit(image, (SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
        scaled = (np.asarray(square, dtype=np.float32) / 255 - MEAN) / DEVIATION
        return torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)))

    def embed_prepared(self, prepared: Sequence[torch.Tensor]) -> NDArray[np.float32]:
        """Embed preprocessed images in one forward pass; returns float32 (N, 512), rows of length 1."""
        with torch.inference_mode():
            vectors: NDArray[np.float32] = functional.normalize(self._model(torch.stack([*prepared]))).numpy()
        return vectors


def open_embedder(argument: str) -> SscdEmbedder:
    """Open the embedder of a setting `sscd:<file of safetensors>`.

    Raises:
        InputError: as `SscdEmbedder.load`.
    """
    return SscdEmbedder.load(argument)


def build_network() -> torch.nn.Module:
    """Build the untrained network."""
    network: torch.nn.Module = resnet50(weights=None, num_classes=DIMENSIONS)
    network.avgpool = GeneralisedMean()
    return network


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    try:
        weights = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        with path.open("rb") as file:
            is_pickle = file.read(4).startswith(PICKLES)
        if is_pickle:
            raise InputError(
                f"expected safetensors, got a pickle: {path.name!r}; deploy/convert_sscd.py converts the published files",
                code="weights_not_safetensors",
            ) from error
        raise InputError(f"weights {path.name!r} cannot be loaded: {error}", code="embedder_weights_bad") from error
    return {name: tensor for name, tensor in weights.items() if not name.endswith(TRAINING_ONLY)}


def _check_fits(network: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if not name.endswith(TRAINING_ONLY)}
    got = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(expected.keys() | got.keys()):
        if expected.get(name) != got.get(name):
            raise InputError(
                f"weights are not of an SSCD ResNet-50: expected {name!r} {expected.get(name, 'not there')}, "
                f"got {got.get(name, 'none')}",
                code="embedder_weights_bad",
            )
    for name, tensor in weights.items():
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise InputError(f"expected finite numbers in {name!r}, got others", code="embedder_weights_bad")
