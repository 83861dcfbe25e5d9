"""Takeover of what a former installation of the operator left behind, by a decision of a person (docs/adr/0035)."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from searchaccess.api.clusters.ownership import FormerCredentials, TakeOver
from searchaccess.core.ownership.installations import Installation


def installations_in(own: Installation, listed: Iterable[TakeOver]) -> frozenset[Installation]:
    """Return the former installations that a SearchCluster lists."""
    return frozenset(Installation(item.instance or own.instance, item.controller) for item in listed) - {own}


def problem_of(own: Installation, listed: Iterable[TakeOver]) -> str:
    """Return what is wrong with a SearchCluster's list; empty: nothing."""
    if any(Installation(item.instance or own.instance, item.controller) == own for item in listed):
        return (
            f"spec.takeOver: controller {own.controller} with instance {own.instance} is this operator itself; "
            "name the Kubernetes cluster that is gone, see status.others"
        )
    return ""


def predecessors(own: Installation, installations: Iterable[Installation]) -> frozenset[str]:
    """Return the controllers whose objects have our own names, so that they become ours unchanged."""
    return frozenset(installation.controller for installation in installations if installation.instance == own.instance)


def revoking(own: Installation, listed: Iterable[TakeOver]) -> frozenset[str]:
    """Return the predecessors whose undeclared keys and users are to be revoked."""
    ending = (item for item in listed if item.credentials is FormerCredentials.REVOKE)
    return predecessors(own, installations_in(own, ending))


def abandoned(own: Installation, installations: Iterable[Installation]) -> list[Installation]:
    """Return the installations whose objects have other names, so that they are removed once ours are in place."""
    return sorted(installation for installation in installations if installation.instance != own.instance)


def removable(
    installation: Installation,
    roles: Collection[str],
    *,
    declared: Collection[str],
    placed: Collection[str],
    all_known: bool,
) -> Sequence[str]:
    """Return the roles of another instance that can be removed, because no caller needs them any more.

    A caller without a declaration loses its rights there, as it would with an orphan of ours.

    Args:
        installation: the other instance.
        roles: names of its roles.
        declared: principals to whom SearchAccesses give rights here, or may.
        placed: of these, whose role of ours is in place and as declared.
        all_known: whether the principals of all SearchAccesses are known.
    """
    if not all_known:
        return ()
    principals = {name: name.removeprefix(f"{installation.prefix}.") for name in _of_principals(installation, roles)}
    return [name for name, one in sorted(principals.items()) if one not in declared or one in placed]


def removable_mappings(installation: Installation, roles: Collection[str], mappings: Collection[str]) -> Sequence[str]:
    """Return the role mappings of another instance that can be removed: all, once nobody gets a role by them.

    Args:
        installation: the other instance.
        roles: names of the roles that it has left.
        mappings: names of its role mappings.
    """
    return (
        ()
        if any(_of_principals(installation, roles))
        else sorted(name for name in mappings if installation.names(name))
    )


def _of_principals(installation: Installation, roles: Iterable[str]) -> Iterator[str]:
    """Yield the roles that callers get by a role mapping. Those of users have a slash, and no principal has."""
    return (name for name in roles if name.startswith(f"{installation.prefix}.") and "/" not in name)
