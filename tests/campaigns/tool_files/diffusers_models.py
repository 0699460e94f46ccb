"""Untrained models in the layouts in which diffusers leaves, or once left, its pipelines.

    python diffusers_models.py FOLDER

Runs with the diffusers that the project installs.
"""

import shutil
import sys
from pathlib import Path

RESOLUTION = 32


def main(folder: Path) -> None:
    """Write each layout below a folder, by names of what they are."""
    import torch
    from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, LDMPipeline, UNet2DModel, VQModel

    torch.manual_seed(0)
    network = UNet2DModel(
        sample_size=RESOLUTION,
        layers_per_block=1,
        block_out_channels=(16, 32),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
    )
    DDPMPipeline(unet=network, scheduler=DDPMScheduler()).save_pretrained(folder / "ddpm")
    DDIMPipeline(unet=network, scheduler=DDIMScheduler()).save_pretrained(folder / "ddim")
    # As the first releases wrote it: network and schedule beside the index.
    old = folder / "weights-at-root"
    DDPMPipeline(unet=network, scheduler=DDPMScheduler()).save_pretrained(old)
    for part in ("unet", "scheduler"):
        for file in (old / part).iterdir():
            shutil.move(file, old)
        (old / part).rmdir()
    network.save_pretrained(folder / "network-alone")
    # What accelerate's saving hook of the training script leaves in its output folder.
    run = folder / "training-run"
    DDPMPipeline(unet=network, scheduler=DDPMScheduler()).save_pretrained(run)
    network.save_pretrained(run / "checkpoint-10" / "unet")
    (run / "checkpoint-10" / "optimizer.bin").write_bytes(b"\x80\x04.")
    half = DDPMPipeline(unet=network, scheduler=DDPMScheduler()).to(torch.float16)
    half.save_pretrained(folder / "half-precision", variant="fp16")
    network.float()
    decoder = VQModel(block_out_channels=(8,), norm_num_groups=4, num_vq_embeddings=8)
    LDMPipeline(vqvae=decoder, unet=network, scheduler=DDIMScheduler()).save_pretrained(folder / "latent")
    DDPMPipeline(unet=network, scheduler=DDPMScheduler()).save_pretrained(folder / "pickled", safe_serialization=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
