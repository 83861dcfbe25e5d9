"""Builds what the platform team writes for a limited login: the operator's role, and the one role mapping."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from searchaccess.api.clusters.tiers import Tier
from searchaccess.api.stores.credentials import Auth
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.access import Access
from searchaccess.core.model.restrictions.union import restricts
from searchaccess.core.patterns.marks import DELEGATED
from searchaccess.core.policy.delegation import is_open
from searchaccess.core.rights.mapping import build_template_mapping
from searchaccess.core.rights.ownership import Operator

_METADATA: Final = "view_index_metadata"
_NARROWER: Final = "name a narrower pattern, or use the tier Full"


def mapping_for(cluster: Cluster, operator: Operator) -> tuple[str, dict[str, Any]] | None:
    """Return name and content of the role mapping of a SearchCluster; None: it cannot be read.

    Args:
        cluster: the SearchCluster.
        operator: the installation.
    """
    realm = cluster.wanted_realm
    if realm is None:
        return None
    mapping = build_template_mapping(operator, realm.name, realm.principal)
    return mapping.name, mapping.body.to_json()


def observer_role(accesses: Iterable[Access] = ()) -> dict[str, Any]:
    """Return the role of the tier Observe, with which a login can read what it compares, and change nothing.

    Args:
        accesses: SearchAccesses of which it also sees where aliases lead, which patterns match nothing, and whether
            each ``where`` can run. It reads names and mappings of their indices, and no documents.
    """
    indices: list[dict[str, Any]] = [
        {"names": [".security*"], "privileges": ["monitor"], "allow_restricted_indices": True}
    ]
    if names := sorted({name for access in accesses for name in access.share.local_indices}):
        indices.append({"names": names, "privileges": [_METADATA]})
    return {"cluster": ["read_security", "monitor"], "indices": indices}


def role_for(accesses: Iterable[Access], operator: Operator) -> tuple[dict[str, Any], list[str]]:
    """Return the smallest role of a login that may grant what some SearchAccesses declare, and what it leaves out.

    Args:
        accesses: the SearchAccesses.
        operator: the installation.

    Returns:
        The role; and for each SearchAccess that needs more than can be delegated, a line that says what.
    """
    names, left, granted = defaultdict[tuple[str, ...], set[str]](set), list[str](), list[Access]()
    for access in accesses:
        if problem := _beyond_delegation(access):
            left.append(f"{access.ref}: {problem}")
            continue
        granted.append(access)
        for entry in access.share.local:
            names[entry.privileges].update(entry.indices, {DELEGATED} if restricts(entry) else ())
    entries = [{"names": sorted(some), "privileges": list(privileges)} for privileges, some in sorted(names.items())]
    entries.append({"names": [f"{operator.mapping_name}.*"], "privileges": ["delete_index"]})
    return observer_role(granted) | {"global": {"role": {"manage": {"indices": entries}}}}, left


def keys_role(accesses: Iterable[Access], operator: Operator) -> tuple[dict[str, Any], list[str]]:
    """Return the same for the tier RolesAndKeys: a key has at most what the login itself has.

    Args:
        accesses: the SearchAccesses.
        operator: the installation.

    Returns:
        The role; and for each SearchAccess that needs more, a line that says what.
    """
    some = list(accesses)
    keyed = [access for access in some if access.auth is Auth.API_KEY and not access.invalid]
    role, left = role_for([access for access in some if access not in keyed], operator)
    visible = observer_role([*_delegated(some), *keyed])["indices"]
    return _with_rights_of(keyed, role | {"cluster": [*role["cluster"], "manage_api_key"], "indices": visible}), left


def full_role(accesses: Iterable[Access] = ()) -> dict[str, Any]:
    """Return the role of the tier Full, with the rights of the API keys that some SearchAccesses declare.

    Args:
        accesses: the SearchAccesses.
    """
    some = list(accesses)
    role = {"cluster": ["manage_security", "monitor"], "indices": observer_role(some)["indices"]}
    return _with_rights_of([access for access in some if access.auth is Auth.API_KEY], role)


def with_audit(role: dict[str, Any], clusters: Iterable[Cluster]) -> dict[str, Any]:
    """Return a role that may also read the audit events that some SearchClusters declare.

    Args:
        role: of a login.
        clusters: the SearchClusters.
    """
    names = sorted({cluster.audit.index for cluster in clusters if cluster.audit})
    return role | {"indices": [*role["indices"], {"names": names, "privileges": ["read"]}]} if names else role


def _with_rights_of(keyed: Iterable[Access], role: dict[str, Any]) -> dict[str, Any]:
    """Return a role that also has what keys get, without the limits to some documents or fields."""
    body: dict[str, Any] = {name: list(value) if isinstance(value, list) else value for name, value in role.items()}
    own, remote = defaultdict[tuple[str, ...], set[str]](set), list[dict[str, Any]]()
    for access in keyed:
        body["cluster"] += [name for name in access.share.cluster if name not in body["cluster"]]
        for entry in access.share.on_indices:
            if entry.clusters:
                rights = {"names": list(entry.indices), "privileges": list(entry.privileges)}
                remote.append(rights | {"clusters": list(entry.clusters)})
            else:
                own[entry.privileges].update(entry.indices)
        body.setdefault("applications", []).extend(e.to_json() for e in access.share.entries if e.application)
    body["indices"] += [{"names": sorted(names), "privileges": list(some)} for some, names in sorted(own.items())]
    return {name: value for name, value in (body | {"remote_indices": remote}).items() if value}


def _delegated(accesses: Iterable[Access]) -> list[Access]:
    return [access for access in accesses if not _beyond_delegation(access)]


def _other_tier(access: Access) -> str:
    """Return why a SearchAccess needs a login that is not limited to roles; empty: it does not."""
    if access.has_credential:
        tier = Tier.FULL if access.auth == Auth.PASSWORD else Tier.ROLES_AND_KEYS
        return f"auth: {access.auth} needs the tier {tier}"
    if access.limits.are_declared:
        return "limits are for a SearchCluster with identity.gateway, which needs a login of the tier Full"
    return ""


def _beyond_delegation(access: Access) -> str:
    """Return why the rights of a SearchAccess cannot be delegated; empty: they can."""
    if access.invalid:
        return access.invalid
    if other := _other_tier(access):
        return other
    if access.share.cluster:
        return "clusterCan cannot be delegated: it needs the tier Full"
    if access.reads_remotely:
        return "remoteClusters cannot be delegated: it needs the tier Full"
    if access.share.on_indices != access.share.entries:
        return "kibana cannot be delegated: it needs the tier Full"
    too_open = sorted({name for entry in access.share.entries for name in entry.indices if is_open(name)})
    return f"{', '.join(too_open)} would delegate Elasticsearch's own indices: {_NARROWER}" if too_open else ""
