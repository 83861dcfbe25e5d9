"""Checks one Elasticsearch cluster: what it is, and what that allows."""

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
    """Return the uuid of the Elasticsearch cluster that an older SearchCluster manages, by a status; empty: none."""
    ready = condition_of(status, ConditionType.READY)
    is_duplicate = ready is not None and ready.reason == Reason.DUPLICATE_CLUSTER
    return ready.message.partition(_MANAGES)[2] if ready and is_duplicate else ""


@dataclass(frozen=True, slots=True)
class Peers:
    """What a reconciler needs to know about other SearchClusters."""

    older_with_uuid: Callable[[Cluster, str], str]
    """Name of an older SearchCluster with the same uuid; empty: none."""
    younger_with_uuid: Callable[[Cluster, str], str]
    """Name of a younger one with the same uuid that is not being deleted; empty: none."""


async def check(session: Session, wanted: WantedRealm | None, recalled: str, peers: Peers) -> bool:
    """Read facts about a cluster, and record them in the session's state.

    Args:
        session: the connected cluster.
        wanted: the realm that it should have; None: none, as a gateway verifies callers' tokens.
        recalled: the uuid of the last connected cluster, by the status; empty: none.
        peers: other SearchClusters.

    Returns:
        Whether anything changed, so that a full reconcile is needed.

    Raises:
        ExternalError: it could not be read.
    """
    state = session.state
    # Before the facts: later changes show in the next fingerprint.
    state.fingerprint = await session.port.fingerprint()
    facts = await session.port.facts(wanted)
    pinned = state.uuid or recalled
    verdict = judge(facts, pinned, session.cluster.accept_uuid, session.cluster.eck, gateway=wanted is None)
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
    """Read what the operator's login may do, and record it in the session's state.

    Args:
        session: the connected cluster.

    Raises:
        ExternalError: it could not be read.
    """
    state, spec = session.state, session.cluster.spec
    state.login = await session.port.login_rights()
    per_principal = spec is not None and spec.mapping is MappingKind.PER_PRINCIPAL
    state.verdict = replace(state.verdict, login=state.login, per_principal=per_principal)


async def has_changed(session: Session) -> bool:
    """Return whether the license or nodes changed since the last check, so that a check is due.

    It usually takes one request. Changes of indices change the cluster's state too: then the license is read as well.

    Args:
        session: the connected cluster.

    Raises:
        ExternalError: it could not be read.
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
