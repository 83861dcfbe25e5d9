"""The check of one Elasticsearch cluster: what it is, and what that allows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.searchcluster import MappingKind
from searchaccess.api.status import SearchClusterStatus, condition_of
from searchaccess.core.clusters.cluster import Cluster, License, judge
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.core.status.access import Failure
from searchaccess.engine.state import Closed, Healthy, Session

_MANAGES: Final = " already manages the Elasticsearch cluster "


def duplicated(status: SearchClusterStatus) -> str:
    """Return the uuid of the Elasticsearch cluster that an older SearchCluster manages, as a status says."""
    ready = condition_of(status, ConditionType.READY)
    is_duplicate = ready is not None and ready.reason == Reason.DUPLICATE_CLUSTER
    return ready.message.partition(_MANAGES)[2] if ready and is_duplicate else ""


@dataclass(frozen=True, slots=True)
class Peers:
    """What a reconciler asks about other clusters."""

    older_with_uuid: Callable[[Cluster, str], str]
    """Name of an older SearchCluster with the same uuid; empty: none."""
    younger_with_uuid: Callable[[Cluster, str], str]
    """Name of a younger one with the same uuid, which is not being deleted; empty: none."""


async def check(session: Session, wanted: WantedRealm, recalled: str, peers: Peers) -> bool:
    """Learn what a cluster is, and note it in the session's state.

    Args:
        session: the connected cluster.
        wanted: the realm that it should have.
        recalled: the uuid of the cluster that was connected last, as the status says; empty: none was.
        peers: what is known of other clusters.

    Returns:
        Whether something is known now that was not known, or otherwise, so that everything is to be looked at.

    Raises:
        ExternalError: it could not be asked.
    """
    state = session.state
    # Before the facts: what changes after it shows at the next glance.
    state.fingerprint = await session.port.fingerprint()
    facts = await session.port.facts(wanted)
    pinned = state.uuid or recalled
    verdict = judge(facts, pinned, session.cluster.accept_uuid, session.cluster.eck)
    before = (state.facts is not None, state.verdict, state.closed)
    state.facts = facts
    state.verdict = verdict.gate
    await know_login(session)
    if isinstance(state.health, Closed):
        state.health = Healthy()
    if verdict.closed:
        state.health = Closed(Failure(*verdict.closed))
    elif older := peers.older_with_uuid(session.cluster, facts.uuid):
        message = f"SearchCluster {older}{_MANAGES}{facts.uuid}"
        state.health = Closed(Failure(Reason.DUPLICATE_CLUSTER, message))
    else:
        state.uuid = facts.uuid
    return before != (True, state.verdict, state.closed)


async def know_login(session: Session) -> None:
    """Learn what the operator's login may do, and note it in the session's state.

    Args:
        session: the connected cluster.

    Raises:
        ExternalError: it could not be asked.
    """
    state, spec = session.state, session.cluster.spec
    state.login = await session.port.login_rights()
    per_principal = spec is not None and spec.mapping is MappingKind.PER_PRINCIPAL
    state.verdict = replace(state.verdict, login=state.login, per_principal=per_principal)


async def has_changed(session: Session) -> bool:
    """Return whether license or nodes are not as the last check found them, so that a check is due.

    At rest that is one request. Where indices change, the cluster's state does too: then the license is read as well.

    Args:
        session: the connected cluster.

    Raises:
        ExternalError: it could not be asked.
    """
    state, before = session.state, session.state.fingerprint
    now = await session.port.fingerprint()
    if now == before:
        return False
    if now is None or before is None or state.facts is None or now.nodes != before.nodes:
        return True
    if await session.port.read_license() != License(state.facts.license, state.facts.license_ends):
        return True
    state.fingerprint = now
    return False
