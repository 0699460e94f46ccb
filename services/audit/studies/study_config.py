"""The configuration of a study, read from a TOML file: one frozen value whose digest is recorded with the results.

Rules, in order:

1. Every slice gets the same training: equal optimiser updates, whatever its size.
2. The two slices of a size, its twins, share no picture. Seeds vary weights, order and noise over the same slice.
3. All models have the same control, which shares nothing with any slice. So points differ by their slices alone.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, WithJsonSchema, model_validator

from services.audit.training.training_config import MOST_UPDATES, TrainingConfig
from shared.canonical import canonical_json, sha256_hex
from shared.errors import InputError
from shared.matching.panel.registry import RuleName, list_rule_names
from shared.schemas import NAME, StrictModel, describe_field_errors

CONFIGS = Path(__file__).with_name("configs")
TWIN_LETTERS = "ab"
# Of the first picture of each model: pictures of one number began from the same noise in all models.
SAMPLE_SEED = 0


# Our own bounds, far beyond any study, so that a mistake is told from one.
MOST_PICTURES = 10_000_000
MOST_OF_A_KIND = 100

Pictures = Annotated[int, Field(strict=True, ge=1, le=MOST_PICTURES)]
# Beyond 2**53 integers have no exact form in JSON (RFC 8785, section 3.2.2.3).
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**53)]
PanelRule = Annotated[RuleName, WithJsonSchema({"type": "string", "enum": list(list_rule_names())})]
Updates = Annotated[int, Field(strict=True, ge=1, le=MOST_UPDATES)]


@dataclass(frozen=True)
class StudyModel:
    """One model of a study: the slice it is trained on, and its seed."""

    study: str
    size: int
    twin: str
    seed: int

    @property
    def manifest(self) -> str:
        """Name of its slice's manifest, which models of other seeds share."""
        return f"{self.study}-{self.size}{self.twin}"

    @property
    def name(self) -> str:
        """Name of the model."""
        return f"{self.manifest}-s{self.seed}"


class StudyConfig(StrictModel):
    """A study.

    Raises:
        InputError: the settings contradict each other.
        pydantic.ValidationError: one of them is outside its range.
    """

    name: str = Field(
        pattern=f"^{NAME.pattern}$", max_length=60, description="Unique name; manifests and models are named after it."
    )
    dataset: str = Field(min_length=1, max_length=2000, description="Registered data set that the slices are drawn from.")
    sizes: tuple[Pictures, ...] = Field(
        min_length=1, max_length=MOST_OF_A_KIND, fail_fast=True, description="Pictures in a slice, ascending."
    )
    twins: int = Field(strict=True, default=2, ge=1, le=len(TWIN_LETTERS), description="Disjoint slices of each size.")
    seeds: tuple[Seed, ...] = Field(default=(0, 1, 2), min_length=1, max_length=MOST_OF_A_KIND, fail_fast=True)
    slice_seed: Seed = Field(default=0, description="Of the permutation that slices and control are drawn from.")
    control: Pictures = Field(ge=4, description="Held-out pictures, never trained on by any model of the study.")
    generations: Pictures = Field(description="Pictures sampled from each model.")
    sampling_steps: int = Field(strict=True, ge=1, le=1000)
    kept_updates: tuple[Updates, ...] = Field(
        default=(),
        max_length=MOST_OF_A_KIND,
        fail_fast=True,
        description="Updates after which a model is sampled as well, ascending.",
    )
    kept_generations: int = Field(
        strict=True, default=0, ge=0, le=MOST_PICTURES, description="Pictures sampled from a model then."
    )
    neighbours: int = Field(strict=True, default=1000, ge=1, le=100_000)
    false_positive_rate: float = Field(strict=True, default=0.001, gt=0, le=0.5)
    relied_on: tuple[PanelRule, ...] = Field(
        default=("ssim",),
        min_length=1,
        max_length=8,
        fail_fast=True,
        description="Rules that the study rests on: an audit is void where a control fails by one. The curve is that of ssim, "
        "which is therefore always among them.",
    )
    at_once: int = Field(strict=True, default=2, ge=1, le=64, description="Models trained side by side, a thread each.")
    training: TrainingConfig

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        if list(self.sizes) != sorted(set(self.sizes)):
            raise InputError(f"sizes: expected different sizes, ascending, got {list(self.sizes)}", code="study_sizes")
        if len(set(self.seeds)) != len(self.seeds):
            raise InputError(f"seeds: expected different seeds, got {list(self.seeds)}", code="study_seeds")
        return self

    @model_validator(mode="after")
    def _check_kept_updates(self) -> Self:
        updates, last = list(self.kept_updates), self.training.max_train_steps
        if updates != sorted(set(updates)) or any(update >= last for update in updates):
            raise InputError(
                f"kept_updates: expected different updates below {last}, ascending, got {updates}", code="study_kept_updates"
            )
        if bool(updates) != bool(self.kept_generations):
            raise InputError("expected kept_updates and kept_generations together, got one of them", code="study_kept_updates")
        return self

    @property
    def sha256(self) -> str:
        """Digest of everything that the results depend on; how many models are trained at a time does not count."""
        return sha256_hex(canonical_json(self.model_dump(mode="json", exclude={"at_once"})))

    @property
    def twin_letters(self) -> str:
        """The letters of the twins."""
        return TWIN_LETTERS[: self.twins]

    @property
    def control_manifest(self) -> str:
        """Name of the control's manifest."""
        return f"{self.name}-control"

    def models_of_size(self, size: int) -> list[StudyModel]:
        """Return the models of one slice size."""
        return [model for model in self.models() if model.size == size]

    def models(self) -> Iterator[StudyModel]:
        """Yield the models: by size, twin, seed."""
        for size in self.sizes:
            for twin in self.twin_letters:
                for seed in self.seeds:
                    yield StudyModel(self.name, size, twin, seed)

    def training_of(self, model: StudyModel) -> TrainingConfig:
        """Return what one model is trained with: the study's training with the model's seed."""
        return self.training.model_copy(update={"seed": model.seed})


def load_study_config(path: Path | str) -> StudyConfig:
    """Read a study's file, or by its name one that comes with Sleeve: `paper`, `cpu`, `smoke`.

    Raises:
        InputError: the file cannot be read or its content is invalid.
    """
    bundled = CONFIGS / f"{path}.toml"
    file = bundled if bundled.is_file() else Path(path)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        return StudyConfig.model_validate(content)
    except FileNotFoundError as error:
        names = sorted(config.stem for config in CONFIGS.glob("*.toml"))
        raise InputError(
            f"expected a study's file or one of {', '.join(names)}, got {path}", code="study_not_found"
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file}: expected a TOML file, got {error}", code="study_unreadable") from error
    except ValidationError as error:
        raise InputError(f"{file} does not fit: {describe_field_errors(error, 'study')}", code="study_invalid") from error
