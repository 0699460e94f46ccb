"""What a model is trained with: one frozen value whose digest is recorded beside the weights.

Names are those of diffusers' own training scripts, where they have the setting.
Source: huggingface/diffusers, examples/unconditional_image_generation/train_unconditional.py, and for
`weighting_scheme`, `logit_mean` and `logit_std` examples/dreambooth/train_dreambooth_sd3.py.
"""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from shared.canonical import canonical_json, sha256_hex
from shared.errors import InputError
from shared.schemas import StrictModel

# Our own bounds: beyond what any published model of this kind has, and small enough to be told from a mistake.
MOST_CHANNELS = 4096
MOST_UPDATES = 100_000_000
# The largest pictures that an audit can compare (`shared.matching.ssim_search.best_ssim`). What could not be audited is not
# trained.
LARGEST_SIDE_PX = 512

Width = Annotated[int, Field(strict=True, ge=1, le=MOST_CHANNELS)]


def _refuse_truth_value(value: object) -> object:
    """Refuse True where 1 is one of the literals: they are equal in Python, and not in JSON."""
    if isinstance(value, bool):
        raise ValueError("expected a whole number")  # noqa: TRY004 - pydantic reports value errors
    return value


class TrainingConfig(StrictModel):
    """Network, noise and optimiser of one unconditional diffusion model.

    `weighting_scheme` says how timesteps are drawn in training: evenly, or most often where the noise is
    neither weak nor strong (Esser et al. 2024, arXiv:2403.03206, section 3.1). Under `one_cycle` the first
    Adam beta runs from 0.95 to 0.85 and back (Smith 2018, arXiv:1803.09820), and `learning_rate` is its peak;
    `adam_beta1` holds under the other schedules.

    Raises:
        InputError: the settings contradict each other.
        pydantic.ValidationError: one of them is outside its range.

    >>> TrainingConfig(resolution=24, max_train_steps=10).prediction_type
    'epsilon'
    """

    # Strict: a number is no word and no truth value, also where it comes from JSON.
    model_config = ConfigDict(strict=True)

    resolution: int = Field(ge=8, le=LARGEST_SIDE_PX)
    channels: Annotated[Literal[1, 3], BeforeValidator(_refuse_truth_value)] = 1
    block_out_channels: tuple[Width, ...] = Field(default=(128, 128, 256, 256), min_length=1, max_length=8, strict=False)
    layers_per_block: int = Field(default=2, ge=1, le=8)
    norm_num_groups: int = Field(default=8, ge=1, le=MOST_CHANNELS)

    ddpm_num_steps: int = Field(default=1000, ge=2, le=10_000)
    ddpm_beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "linear"
    prediction_type: Literal["epsilon", "sample", "v_prediction"] = "epsilon"
    timestep_spacing: Literal["leading", "trailing", "linspace"] = "leading"
    weighting_scheme: Literal["none", "logit_normal"] = "none"
    logit_mean: float = 0.0
    logit_std: float = Field(default=1.0, gt=0)

    max_train_steps: int = Field(ge=1, le=MOST_UPDATES)
    train_batch_size: int = Field(default=16, ge=1, le=65_536)
    learning_rate: float = Field(default=1e-4, gt=0)
    lr_scheduler: Literal["one_cycle", "constant", "cosine"] = "cosine"
    adam_beta1: float = Field(default=0.95, ge=0, lt=1)
    adam_beta2: float = Field(default=0.999, ge=0, lt=1)
    adam_weight_decay: float = Field(default=1e-6, ge=0)
    adam_epsilon: float = Field(default=1e-8, gt=0)
    max_grad_norm: float = Field(default=1.0, gt=0)

    use_ema: bool = False
    ema_inv_gamma: float = Field(default=1.0, gt=0)
    ema_power: float = Field(default=0.75, gt=0)
    ema_max_decay: float = Field(default=0.9999, ge=0, lt=1)

    seed: int = Field(default=0, ge=0, lt=2**53)
    mixed_precision: Literal["no", "fp16", "bf16"] = "no"
    checkpointing_steps: int = Field(default=500, ge=1, le=MOST_UPDATES)
    num_threads: int | None = Field(default=None, ge=1, le=1024)

    @model_validator(mode="after")
    def _check_network(self) -> Self:
        divisor = 2 ** (len(self.block_out_channels) - 1)
        if self.resolution % divisor:
            raise InputError(
                f"expected a resolution divisible by {divisor} for {len(self.block_out_channels)} blocks, "
                f"got {self.resolution}",
                code="resolution_not_divisible",
            )
        for width in self.block_out_channels:
            if width % self.norm_num_groups:
                raise InputError(
                    f"expected widths divisible by norm_num_groups={self.norm_num_groups}, got {width}",
                    code="channels_not_divisible",
                )
        return self

    @property
    def sha256(self) -> str:
        """Digest of the configuration's canonical JSON."""
        return sha256_hex(canonical_json(self.model_dump(mode="json")))
