"""Policies: versioned files that say how the gate decides and what a fired flag owes.

Rules, in order:

1. The line between flag and clear is the control's at a false-positive rate, or a score given outright: one of the two.
2. A borderline band, where there is one, is given in the same terms and lies on the clear side of that line.
3. One rule decides, or any of several; then the rates are those of all together, and each rule has an equal share.
4. A field that came later is optional, and left out of the digest where it is not given: policies on record keep theirs.
5. Amounts are whole numbers of the currency's minor unit.
6. A tier of the tariff fits a flag where the p-value is at most its bound, if it has one, and the kind of the match among its
   kinds, if it names any. Of the tiers that fit, one that names the kind goes before one that names none, then the smaller
   bound before the larger or none; of equals the one that stands first.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from shared.canonical import canonical_json, sha256_hex
from shared.errors import CorruptStateError, InputError
from shared.ledger.body_fields import Amount, Currency, MatchKind
from shared.matching.calibration.decision import Bound
from shared.records.policies import Policy
from shared.schemas import StrictModel, describe_field_errors

DEFAULT_POLICY = Path(__file__).with_name("default.toml")

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Rate = Annotated[float, Field(strict=True, gt=0, le=0.5)]
Score = Annotated[float, Field(strict=True, allow_inf_nan=False)]
DecidingRule = Literal["fused", "ssim", "ssim-turned", "works"]


class Borderline(StrictModel):
    """From where on a person looks: scores above this, and not above the flag's line."""

    false_positive_rate: Rate | None = None
    threshold: Score | None = None


class Tier(StrictModel):
    """Another amount for some flags: by the p-value, by the kind of the match, or by both."""

    p_value_at_most: float | None = Field(
        default=None, strict=True, gt=0, le=1, description="For flags whose p-value is at most this."
    )
    kinds: tuple[MatchKind, ...] | None = Field(default=None, min_length=1, description="For matches of these kinds.")
    amount_minor: Amount

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.p_value_at_most is None and self.kinds is None:
            raise ValueError("expected p_value_at_most, kinds or both in a tier, got none")
        if self.kinds is not None and len({*self.kinds}) < len(self.kinds):
            raise ValueError(f"expected each kind once in a tier, got {list(self.kinds)}")
        return self

    def fits(self, p_value: float, kind: MatchKind) -> bool:
        """Say whether a flag falls under this tier."""
        bound_kept = self.p_value_at_most is None or p_value <= self.p_value_at_most
        return bound_kept and (self.kinds is None or kind in self.kinds)


class Tariff(StrictModel):
    """What one flag owes, all owners together."""

    currency: Currency
    amount_minor: Amount
    tiers: tuple[Tier, ...] | None = None

    def amount_for(self, p_value: float, kind: MatchKind) -> int:
        """Return the amount of a flag: of the tier that rule 6 chooses, the plain one where none fits.

        >>> tiers = (Tier(p_value_at_most=0.001, amount_minor=500), Tier(kinds=("part",), amount_minor=50))
        >>> tariff = Tariff(currency="EUR", amount_minor=100, tiers=tiers)
        >>> tariff.amount_for(0.001, "whole"), tariff.amount_for(0.002, "whole"), tariff.amount_for(0.001, "part")
        (500, 100, 50)
        """
        fitting = [tier for tier in self.tiers or () if tier.fits(p_value, kind)]
        # A bound is at most 1: 2 stands for none.
        chosen = min(fitting, key=lambda tier: (tier.kinds is None, tier.p_value_at_most or 2.0), default=None)
        return self.amount_minor if chosen is None else chosen.amount_minor


class PolicyContent(StrictModel):
    """What a policy file says."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")
    version: int = Field(strict=True, ge=1, le=2**31 - 1)
    rule: DecidingRule | None = Field(default=None, description="The rule that decides; or")
    rules: tuple[DecidingRule, ...] | None = Field(
        default=None, min_length=2, description="rules of which any decides, each with an equal share of the rates."
    )
    neighbours: int = Field(strict=True, ge=1, le=100_000)
    false_positive_rate: Rate | None = Field(default=None, description="The line is the control's score at this rate; or")
    threshold: Score | None = Field(default=None, description="the line is this score.")
    borderline: Borderline | None = None
    most_unexamined: Annotated[float, Field(strict=True, ge=0, le=1)] | None = Field(
        default=None,
        description="Share of a generation's area that may be unexamined before a clear one is undecided; with rule `works`.",
    )
    shares: Literal["equal", "by_confidence"]
    tariff: Tariff | None = None
    waiver_reasons: tuple[Code, ...] | None = Field(default=None, description="The only reasons for which one may waive.")

    @model_validator(mode="after")
    def _in_the_same_terms(self) -> Self:
        self._names_rules()
        _one_of(self, "the policy")
        if self.borderline is not None:
            _one_of(self.borderline, "the borderline band")
            self._borders_on_clear(self.borderline)
        return self

    def _names_rules(self) -> None:
        if (self.rule is None) == (self.rules is None):
            raise ValueError("expected a rule or rules in the policy, one of the two")
        if self.rules is not None and len(set(self.rules)) < len(self.rules):
            raise ValueError(f"expected each rule once, got {', '.join(self.rules)}")
        if self.rules is not None and self.threshold is not None:
            raise ValueError("expected a false_positive_rate with several rules: a threshold is the score of one")

    def _borders_on_clear(self, band: Borderline) -> None:
        if (band.threshold is None) != (self.threshold is None):
            raise ValueError("expected the borderline band in the terms of the policy's own line, a rate or a threshold")
        if band.false_positive_rate is not None and band.false_positive_rate <= (self.false_positive_rate or 0):
            raise ValueError(f"expected a borderline rate above {self.false_positive_rate}, got {band.false_positive_rate}")
        if band.threshold is not None and self.threshold is not None and band.threshold >= self.threshold:
            raise ValueError(f"expected a borderline threshold below {self.threshold}, got {band.threshold}")

    @property
    def deciding_rules(self) -> tuple[DecidingRule, ...]:
        """The rules of which any decides, in the policy's order."""
        return self.rules or ((self.rule,) if self.rule else ())

    @property
    def flag_bound(self) -> Bound:
        """What a score has to exceed to fire, for all rules together."""
        return Bound(self.false_positive_rate, self.threshold)

    @property
    def borderline_bound(self) -> Bound | None:
        """What a score has to exceed to be looked at, for all rules together; none without a band."""
        band = self.borderline
        return None if band is None else Bound(band.false_positive_rate, band.threshold)

    def recorded(self) -> dict[str, Any]:
        """Return the content as it is recorded: what is not given is left out."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def sha256(self) -> str:
        """Digest of the policy's canonical JSON."""
        return sha256_hex(canonical_json(self.recorded()))


def _one_of(part: PolicyContent | Borderline, what: str) -> None:
    if (part.false_positive_rate is None) == (part.threshold is None):
        raise ValueError(f"expected a false_positive_rate or a threshold in {what}, one of the two")


def parse_policy(fields: Any) -> PolicyContent:
    """Read a policy from what a file or a request says.

    Raises:
        InputError: it does not fit; the message names each field.
    """
    try:
        return PolicyContent.model_validate(fields)
    except ValidationError as error:
        raise InputError(f"policy does not fit: {describe_field_errors(error, 'policy')}", code="policy_invalid") from error


def parse_policy_toml(text: str) -> PolicyContent:
    """Read a policy from TOML.

    Raises:
        InputError: it is no TOML, or does not fit.
    """
    try:
        return parse_policy(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"policy cannot be read as TOML: {error}", code="policy_unreadable") from error


def load_policy_file(path: Path) -> PolicyContent:
    """Read a policy file.

    Raises:
        InputError: it cannot be read, or does not fit.
    """
    try:
        return parse_policy_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"policy file {path} cannot be read: {error.strerror}", code="policy_unreadable") from error
    except UnicodeDecodeError as error:
        raise InputError(f"policy file {path} cannot be read: it is no UTF-8 text", code="policy_unreadable") from error


def content_of(policy: Policy) -> PolicyContent:
    """Return what an adopted policy says.

    Raises:
        CorruptStateError: what is on record is no policy, or not the one whose digest was adopted.
    """
    try:
        content = parse_policy(policy.content)
    except InputError as error:
        raise CorruptStateError(f"policy {policy.id} on record: {error.message}", code="policy_damaged") from error
    if content.sha256 != policy.sha256:
        raise CorruptStateError(
            f"policy {policy.id} on record: expected {policy.sha256}, got {content.sha256}", code="policy_damaged"
        )
    return content
