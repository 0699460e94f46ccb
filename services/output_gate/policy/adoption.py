"""Adopting a policy: an entry in the log, and from then on every check is decided by it.

Rules, in order:

1. The policy that was adopted last is in force, whatever its name; running gates see it with the next check.
2. Versions of a name grow. What was in force before is not adopted again: who wants it back gives it a new version, so that
   the log reads forward.
3. The shipped default is adopted where none is on record, and never over one that was chosen.
4. A threshold outside its rule's range is refused: such a policy would flag nothing, or everything.
5. Where the settings ask for two approvals, a policy is adopted when the second key sends it. The operator's commands count
   as one key.

docs/adr/0011-the-policy-adopted-last-is-in-force.md says why.
"""

from sqlalchemy import func, select
from sqlmodel import Session

from services.output_gate.policy.control_run import verify_threshold
from services.output_gate.policy.policy import DEFAULT_POLICY, PolicyContent, load_policy_file
from services.output_gate.webhooks.outbox import queue_event
from shared.clock import utc_now
from shared.errors import ConflictError
from shared.ids import new_id
from shared.ledger.entries import build_entry
from shared.ledger.output_bodies import PolicyAdopted
from shared.records.entry_rows import append_and_add
from shared.records.policies import Policy, find_policy, find_policy_in_force, load_newest_policy

# Any number, the same for every process: adoptions queue behind one another on PostgreSQL, as all writers do on SQLite.
_ADOPTION_LOCK_KEY = 0x51EE7E_02


def adopt_policy(session: Session, content: PolicyContent) -> Policy:
    """Adopt a policy through the log, in the caller's transaction; the one in force, where it is the same.

    Raises:
        InputError: its threshold lies outside its rule's range.
        ConflictError: this name stands for a version as high already, or the policy was in force before.
    """
    verify_threshold(content)
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_ADOPTION_LOCK_KEY)))
    in_force, earlier = find_policy_in_force(session), find_policy(session, content.sha256)
    if earlier is not None and in_force is not None and earlier.id == in_force.id:
        return earlier
    newest = load_newest_policy(session, content.name)
    if newest is not None and newest.version >= content.version:
        raise ConflictError(
            f"policy {content.name!r} is at version {newest.version}; expected a higher one, got {content.version}",
            code="policy_version",
        )
    return _record(session, content)


def adopt_default(session: Session) -> Policy:
    """Return the policy in force; where none was ever adopted, adopt the shipped default."""
    return find_policy_in_force(session) or adopt_policy(session, load_policy_file(DEFAULT_POLICY))


def _record(session: Session, content: PolicyContent) -> Policy:
    policy_id, now = new_id(), utc_now()
    body = PolicyAdopted(name=content.name, version=str(content.version), sha256=content.sha256, content=content.recorded())
    policy = append_and_add(
        session,
        build_entry(body, at=now, subject={"policy": policy_id}),
        lambda entry_id: Policy(
            id=policy_id,
            name=content.name,
            version=content.version,
            sha256=content.sha256,
            content=content.recorded(),
            entry_id=entry_id,
            created_at=now,
        ),
    )
    data = {"policy": policy_id, "name": content.name, "version": content.version, "sha256": content.sha256}
    queue_event(session, "policy.adopted", data, now)
    return policy
