"""What holds flags by now, many at once; `steps` says the rule for one."""

from collections.abc import Mapping, Sequence

from sqlmodel import Session, col, select

from services.output_gate.flags.creation import CONTESTED, CONTESTED_CLUSTER
from services.output_gate.results.recorded import read_result
from shared.records.bulk_insert import in_chunks
from shared.records.checks import Check
from shared.records.cluster_owners import Cluster, are_contested_clusters
from shared.records.flag_states import OPEN
from shared.records.flags import Flag
from shared.records.item_owners import find_contested
from shared.records.items import find_items


def load_checks_of(session: Session, flags: Sequence[Flag]) -> dict[str, Check]:
    """Return the checks that flags were raised for, by id."""
    chunks = in_chunks([flag.check_id for flag in flags])
    return {check.id: check for chunk in chunks for check in session.exec(select(Check).where(col(Check.id).in_(chunk)))}


def find_holds(session: Session, flags: Sequence[Flag], checks: Mapping[str, Check]) -> dict[str, str | None]:
    """Return the code of what holds each flag by now, or None, by flag id.

    Args:
        session: an open transaction.
        flags: which.
        checks: theirs, by id.
    """
    held = {flag.id: flag.held for flag in flags}
    open_flags = [flag for flag in flags if flag.held is None and flag.state in OPEN]
    held |= dict.fromkeys(_find_contested(session, [flag for flag in open_flags if not flag.contest_released]), CONTESTED)
    free = [flag for flag in open_flags if held[flag.id] is None and not flag.cluster_released]
    contested = are_contested_clusters(session, [cluster_of(flag, checks[flag.check_id]) for flag in free])
    return held | {flag.id: CONTESTED_CLUSTER for flag, is_contested in zip(free, contested, strict=True) if is_contested}


def cluster_of(flag: Flag, check: Check) -> Cluster:
    """Return the duplicate cluster of a flag's item, as its check recorded it."""
    result = read_result(check)
    of_works = {work.item: work.cluster for work in result.further_works}
    return Cluster(flag.item_id, of_works.get(flag.item_id, result.cluster))


def _find_contested(session: Session, flags: Sequence[Flag]) -> list[str]:
    blobs = {item_id: item.blob_sha256 for item_id, item in find_items(session, [flag.item_id for flag in flags]).items()}
    contested = find_contested(session, list(blobs.values()))
    return [flag.id for flag in flags if blobs[flag.item_id] in contested]
