"""Training as it is here against a bare diffusers loop; run as `python tests/bench/bench_training.py`.

Rules, in order:

1. The same network, batch, optimiser and data: the demo's configuration, four rounds of updates of each loop by turns, so that
   what else the machine does meets both alike. The faster round of each counts.
2. The bare loop is that of diffusers' training script without its logging: noise, timesteps, loss, backward, clipping, step.
3. Prints one JSON line: updates a second of both, and the ratio.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from diffusers.optimization import get_scheduler

from services.audit.training.diffusion_model import build_scheduler, build_unet
from services.audit.training.presets import DEMO_CONFIG
from services.audit.training.training_state import build_training_state

UPDATES, ROUNDS, ITEMS = 60, 4, 64
CONFIG = DEMO_CONFIG.model_copy(update={"lr_scheduler": "cosine"})


def make_bare_loop(views: torch.Tensor) -> Callable[[], None]:
    """Return a function that takes one update as the script does."""
    unet, schedule = build_unet(CONFIG, 0).train(), build_scheduler(CONFIG)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=CONFIG.learning_rate, fused=True)
    lr_scheduler = get_scheduler("cosine", optimizer, num_warmup_steps=0, num_training_steps=10_000)

    def update() -> None:
        batch = views[torch.randint(0, len(views), (CONFIG.train_batch_size,))]
        noise = torch.randn_like(batch)
        timesteps = torch.randint(0, CONFIG.ddpm_num_steps, (len(batch),))
        predicted = unet(schedule.add_noise(batch, noise, timesteps), timesteps).sample
        loss = torch.nn.functional.mse_loss(predicted, schedule.get_velocity(batch, noise, timesteps))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        lr_scheduler.step()
        optimizer.zero_grad()

    return update


def time_updates(update: Callable[[], object]) -> float:
    """Return the seconds of a round."""
    begun = perf_counter()
    for _ in range(UPDATES):
        update()
    return perf_counter() - begun


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    shape = (ITEMS, CONFIG.channels, CONFIG.resolution, CONFIG.resolution)
    views = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    state = build_training_state(CONFIG, ITEMS)
    loops = {
        "bare": make_bare_loop(torch.from_numpy(views.astype(np.float32)) / 127.5 - 1),
        "sleeve": lambda: state.update(views),
    }
    for update in loops.values():
        update()
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(ROUNDS):
        for name, update in loops.items():
            seconds[name].append(time_updates(update))
    best = {name: min(taken) for name, taken in seconds.items()}
    result = {
        "updates_per_second": {name: round(UPDATES / taken, 2) for name, taken in best.items()},
        "time_against_bare": round(best["sleeve"] / best["bare"], 3),
    }
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
