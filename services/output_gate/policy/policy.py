"""Policies: versioned files that say how the gate decides, adopted through the log before they are used."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlmodel import Session

from shared.canonical import canonical_json, sha256_hex
from shared.clock import timestamp, utc_now
from shared.errors import ConflictError, InputError
from shared.ids import new_id
from shared.ledger.entries import Entry
from shared.ledger.log import Log
from shared.records.policies import Policy, find_policy, load_newest_policy

DEFAULT_POLICY = Path(__file__).with_name("default.toml")


class PolicyContent(BaseModel):
    """What a policy file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100)
    version: int = Field(ge=1)
    rule: Literal["fused", "ssim"]
    neighbours: int = Field(ge=1, le=100_000)
    false_positive_rate: float = Field(gt=0, le=0.5)
    shares: Literal["equal"]

    @property
    def sha256(self) -> str:
        """Digest of the policy's canonical JSON."""
        return sha256_hex(canonical_json(self.model_dump()))


def load_policy_file(path: Path) -> PolicyContent:
    """Read a policy file.

    Raises:
        InputError: it cannot be read, or does not fit.
    """
    try:
        return PolicyContent.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"policy file cannot be read: {error}", code="policy_unreadable") from error
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InputError(f"policy does not fit: {found}", code="policy_invalid") from error


def adopt_policy(session: Session, content: PolicyContent) -> Policy:
    """Adopt a policy through the log, in the caller's transaction; the one adopted before, where it is the same.

    Raises:
        ConflictError: this name and version stand for another content, or for an older version than the newest.
    """
    found = find_policy(session, content.sha256)
    if found is not None:
        return found
    newest = load_newest_policy(session, content.name)
    if newest is not None and newest.version >= content.version:
        raise ConflictError(
            f"policy {content.name!r} is at version {newest.version}; expected a higher one, got {content.version}",
            code="policy_version",
        )
    policy_id, now = new_id(), utc_now()
    entry = Entry(
        type="policy.adopted",
        at=timestamp(now),
        subject={"policy": policy_id},
        body={"name": content.name, "version": str(content.version), "sha256": content.sha256},
    )
    [entry_id] = Log.append(session, [entry])
    policy = Policy(
        id=policy_id,
        name=content.name,
        version=content.version,
        sha256=content.sha256,
        content=content.model_dump(),
        entry_id=entry_id,
        created_at=now,
    )
    session.add(policy)
    session.flush()
    return policy
