"""Convert a published SSCD model into what `SLEEVE_EMBEDDER=sscd:<file>` reads: `python -m deploy.convert_sscd IN OUT`.

IN is one of the `.torchvision.pt` files of facebookresearch/sscd-copy-detection with 512 dimensions, such as
`sscd_disc_mixup.torchvision.pt`; OUT is a file of safetensors. Run it once, on a machine of your own, on a file whose
origin you know: IN is a pickle. torch reads it with `weights_only`, which builds tensors and runs nothing else. The service
itself opens no pickles.

Names: the published ones are torchvision's, each under `backbone.`; that prefix goes. Tensors stay as they are.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

PREFIX = "backbone."


def convert(source: Path, target: Path) -> int:
    """Convert a file.

    Args:
        source: the published pickle of a state dict.
        target: safetensors, written anew.

    Returns:
        How many tensors it holds.

    Raises:
        ValueError: a name is not under `backbone.`, as in the files for Classy Vision.
    """
    published: dict[str, torch.Tensor] = torch.load(source, map_location="cpu", weights_only=True)
    foreign = [name for name in published if not name.startswith(PREFIX)]
    if foreign:
        raise ValueError(f"expected names under {PREFIX!r}, as in the .torchvision.pt files, got {foreign[0]!r}")
    save_file({name.removeprefix(PREFIX): tensor.contiguous() for name, tensor in published.items()}, target)
    return len(published)


if __name__ == "__main__":
    print(f"{convert(Path(sys.argv[1]), Path(sys.argv[2]))} tensors")  # noqa: T201 - the command's answer
